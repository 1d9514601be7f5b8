// Which of several people someone is, so that nobody approves their own request.
//
// Who became root is still who logged in: the kernel keeps the login uid through sudo
// and su. A person is known by it, and by their uid, but for root's, by which anyone may
// have become root or logged in. Two are told apart only where each is known by something
// and nothing is shared; who cannot be told apart counts as one.
//
// Threading: plain values; Person::of reads the user database.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "policy/access/caller.h"

namespace nohalt::policy {

struct Person {
  uid_t uid = 0;
  std::optional<uid_t> login_uid;  // absent: never set
  std::string name;                // of who logged in, else of the uid; empty: none known

  [[nodiscard]] static Person of(const Caller& caller);
};

[[nodiscard]] bool is_surely_another(const Person& one, const Person& other);

// "alice", "alice (root)" for one who became root, "uid 1000" where there is no name.
[[nodiscard]] std::string person_text(const Person& person);

}  // namespace nohalt::policy
