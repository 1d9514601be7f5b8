// Ed25519 (RFC 8032) by libsodium. The file holds the seed as hex: it is made under
// a lock on its folder, complete and on the disk before it gets its name.
#include "policy/audit/key.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "policy/audit/digest.h"
#include "policy/audit/folder.h"
#include "src/base/escape.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

namespace {

std::unexpected<Error> unusable(const std::string& path, const std::string& problem) {
  return fail(ErrorCode::kDenied, "audit-unwritable",
              "The key " + escape_untrusted(path).text +
                  " that signs the audit trail cannot be used: " + problem + ".",
              "Make its folder yours with mode 0700 and the key a regular file of yours with "
              "mode 0600, or move the key away: a new one is made.");
}

std::unexpected<Error> unusable_errno(const std::string& path, const char* call) {
  const int error_number = errno;
  return unusable(path, std::string{call} + ": " + std::generic_category().message(error_number));
}

std::string key_path(const std::string& folder) { return folder + "/audit.key"; }

// Both halves of a key pair; the secret one is wiped when it goes.
class KeyPair {
 public:
  KeyPair() = default;
  KeyPair(const KeyPair&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  ~KeyPair() { sodium_memzero(secret_.data(), secret_.size()); }

  [[nodiscard]] static Result<KeyPair> read(const std::string& folder);

  [[nodiscard]] std::string shown() const { return to_hex(shown_); }
  [[nodiscard]] std::string sign(std::string_view message) const {
    std::array<unsigned char, crypto_sign_BYTES> bytes{};
    crypto_sign_detached(bytes.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret_.data());
    return to_hex(bytes);
  }

 private:
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> shown_{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret_{};
};

// What is wrong with the open file as a secret; empty: nothing.
std::string unfit(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid()) return "it belongs to another user";
  if ((status.st_mode & 077) != 0) return "others may read it";
  return {};
}

Result<KeyPair> KeyPair::read(const std::string& folder) {
  const std::string path = key_path(folder);
  if (sodium_init() < 0) return unusable(path, "there is no source of randomness");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return unusable_errno(path, "open");
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return unusable_errno(path, "fstat");
  if (const std::string problem = unfit(status); !problem.empty()) return unusable(path, problem);
  std::array<char, 2 * crypto_sign_SEEDBYTES> hex{};
  const ssize_t count = ::read(fd.get(), hex.data(), hex.size());
  std::array<unsigned char, crypto_sign_SEEDBYTES> seed{};
  const bool good = count == static_cast<ssize_t>(hex.size()) &&
                    from_hex(std::string_view{hex.data(), hex.size()}, seed);
  KeyPair pair;
  if (good) crypto_sign_seed_keypair(pair.shown_.data(), pair.secret_.data(), seed.data());
  sodium_memzero(hex.data(), hex.size());
  sodium_memzero(seed.data(), seed.size());
  if (!good) return unusable(path, "it does not hold a key");
  return pair;
}

// Under the lock on the folder.
Status make_key(const std::string& path, int folder) {
  const std::string unfinished = path + ".new";
  if (::unlink(unfinished.c_str()) != 0 && errno != ENOENT) return unusable_errno(path, "unlink");
  const UniqueFd fd(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return unusable_errno(path, "open");
  std::array<unsigned char, crypto_sign_SEEDBYTES> seed{};
  randombytes_buf(seed.data(), seed.size());
  std::string text = to_hex(seed) + "\n";
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  sodium_memzero(seed.data(), seed.size());
  sodium_memzero(text.data(), text.size());
  if (written < 0) return unusable_errno(path, "write");
  if (static_cast<std::size_t>(written) != text.size()) return unusable(path, "the disk is full");
  if (::fsync(fd.get()) != 0 || ::rename(unfinished.c_str(), path.c_str()) != 0 ||
      ::fsync(folder) != 0)
    return unusable_errno(path, "write");
  return {};
}

bool is_there(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Result<std::string> usual_key_folder(const Caller& caller) {
  if (caller.is_root()) return std::string{"/var/lib/nohalt"};
  return user_state_folder();
}

Result<std::string> usual_key_folder(const Caller& caller, const PersonsPower& power) {
  if (!power.is_changed()) return usual_key_folder(caller);
  if (power.home().starts_with('/')) return power.home() + "/.local/state/nohalt";
  return fail(ErrorCode::kDenied, "audit-unwritable",
              "Behind sudo a trail that is named is signed by a key of who logged in, and they "
              "have no home folder to keep it in.",
              "Take off --audit and NOHALT_AUDIT: root's own trail is written without them.");
}

Status ensure_key(const std::string& folder) {
  const std::string path = key_path(folder);
  if (!is_there(path)) {
    if (sodium_init() < 0) return unusable(path, "there is no source of randomness");
    NOHALT_CHECK(make_folder(folder));
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::flock(fd.get(), LOCK_EX) != 0) return unusable_errno(path, "flock");
    if (!is_there(path)) NOHALT_CHECK(make_key(path, fd.get()));
  }
  NOHALT_TRY([[maybe_unused]] const KeyPair pair, KeyPair::read(folder));
  return {};
}

Result<Signature> sign(const std::string& folder, std::string_view message) {
  NOHALT_TRY(const KeyPair pair, KeyPair::read(folder));
  return Signature{pair.shown(), pair.sign(message)};
}

Result<std::string> public_key(const std::string& folder) {
  NOHALT_TRY(const KeyPair pair, KeyPair::read(folder));
  return pair.shown();
}

bool is_signed(const Signature& by, std::string_view message) {
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> key{};
  std::array<unsigned char, crypto_sign_BYTES> bytes{};
  return from_hex(by.key, key) && from_hex(by.signature, bytes) &&
         crypto_sign_verify_detached(bytes.data(),
                                     reinterpret_cast<const unsigned char*>(message.data()),
                                     message.size(), key.data()) == 0;
}

}  // namespace nohalt::policy
