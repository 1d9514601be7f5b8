// SHA-256 as lower-case hex, at once or piece by piece, and the salted digest of
// a run's output.
// Threading: sha256_hex is pure; the others are used from one thread.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nohalt::policy {

[[nodiscard]] std::string sha256_hex(std::string_view bytes);
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

// Bytes as two lower-case hex digits each, and back; false: it is not such a text
// of just that length.
[[nodiscard]] std::string to_hex(std::span<const unsigned char> bytes);
[[nodiscard]] bool from_hex(std::string_view hex, std::span<unsigned char> bytes);

// SHA-256 of what comes in pieces.
class Sha256 {
 public:
  Sha256();

  void add(std::string_view bytes);
  [[nodiscard]] std::string hex() const;  // of all bytes so far

 private:
  // libsodium's running state, kept as bytes so that its type stays out of here.
  alignas(64) std::array<std::byte, 128> state_{};
};

// Ties the audit trail to what a run wrote without telling it: the digest goes
// into the trail, the salt to the person who ran it. Whoever holds the output
// and the salt can show that it is whole; whoever holds only the trail cannot
// guess values from the digest.
class OutputDigest {
 public:
  OutputDigest();

  void add(std::string_view bytes) { digest_.add(bytes); }
  [[nodiscard]] const std::string& salt() const { return salt_; }  // 32 hex digits
  // SHA-256 of the salt's text followed by all bytes so far.
  [[nodiscard]] std::string hex() const { return digest_.hex(); }

 private:
  std::string salt_;
  Sha256 digest_;
};

}  // namespace nohalt::policy
