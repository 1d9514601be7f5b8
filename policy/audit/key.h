// The key that signs checkpoints: Ed25519, one for a person on a host. It says that
// this host's nohalt wrote a checkpoint; it is no evidence against whoever may read
// it. The secret is read for each signature and wiped after it.
//
// Errors are of kind kDenied, reason audit-unwritable: no signature, no probe.
// Threading and processes: any number may make the key at once; one is made.
#pragma once

#include <string>
#include <string_view>

#include "policy/access/caller.h"
#include "policy/access/persons_power.h"
#include "src/base/result.h"

namespace nohalt::policy {

// /var/lib/nohalt for root, $XDG_STATE_HOME/nohalt (or ~/.local/state/nohalt) for
// others; the key is the file `audit.key` in it.
[[nodiscard]] Result<std::string> usual_key_folder(const Caller& caller);
// Of whose power it is, where that is not the caller's: root's key would vouch for lines
// that others may write.
[[nodiscard]] Result<std::string> usual_key_folder(const Caller& caller, const PersonsPower& power);

// Makes the folder (0700) and the key (0600) where they are missing, and shows that
// the key can be used.
[[nodiscard]] Status ensure_key(const std::string& folder);

struct Signature {
  std::string key;        // the public one, 64 hex digits
  std::string signature;  // 128 hex digits
};
[[nodiscard]] Result<Signature> sign(const std::string& folder, std::string_view message);

// The public key of the folder's key, which others may know it by.
[[nodiscard]] Result<std::string> public_key(const std::string& folder);

[[nodiscard]] bool is_signed(const Signature& by, std::string_view message);

}  // namespace nohalt::policy
