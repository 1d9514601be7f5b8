// libsodium does the hashing. Its SHA-256 needs no initialisation; its random
// bytes do, and sodium_init may be called any number of times.
#include "policy/audit/digest.h"

#include <sodium.h>

#include <cstring>

namespace nohalt::policy {

namespace {

const unsigned char* as_unsigned(const void* bytes) {
  return static_cast<const unsigned char*>(bytes);
}

std::string sha256_of(const void* bytes, std::size_t size) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), as_unsigned(bytes), size);
  return to_hex(hash);
}

using HashState = crypto_hash_sha256_state;

HashState load(const std::array<std::byte, 128>& bytes) {
  static_assert(sizeof(HashState) <= 128);
  HashState state;
  std::memcpy(&state, bytes.data(), sizeof(state));
  return state;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) { return sha256_of(bytes.data(), bytes.size()); }

std::string sha256_hex(std::span<const std::byte> bytes) {
  return sha256_of(bytes.data(), bytes.size());
}

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool from_hex(std::string_view hex, std::span<unsigned char> bytes) {
  std::size_t length = 0;
  const char* end = nullptr;
  return hex.size() == bytes.size() * 2 &&
         sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &length,
                        &end) == 0 &&
         length == bytes.size() && to_hex(bytes) == hex;
}

Sha256::Sha256() {
  HashState state;
  crypto_hash_sha256_init(&state);
  std::memcpy(state_.data(), &state, sizeof(state));
}

void Sha256::add(std::string_view bytes) {
  HashState state = load(state_);
  crypto_hash_sha256_update(&state, as_unsigned(bytes.data()), bytes.size());
  std::memcpy(state_.data(), &state, sizeof(state));
}

std::string Sha256::hex() const {
  HashState state = load(state_);
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256_final(&state, hash.data());
  return to_hex(hash);
}

OutputDigest::OutputDigest() {
  std::array<unsigned char, 16> random{};
  if (sodium_init() >= 0) randombytes_buf(random.data(), random.size());
  salt_ = to_hex(random);
  digest_.add(salt_);
}

}  // namespace nohalt::policy
