// The links of an audit line, read without parsing all of it.
//
// A whole line is one JSON object in canonical form (names sorted, no spaces) with
// `seq`, `prev` and `chain`. A proper prefix of such a line never is one, so what a
// power cut leaves cannot be taken for a line.
// Threading: pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nohalt::policy {

// Views into the line; texts as they are written, escapes and all.
struct LineFields {
  std::uint64_t seq = 0;
  std::string_view previous;  // prev
  std::string_view chain;     // what the record before led to
  std::string_view torn;      // empty: nothing half-written stood before
  std::string_view event;
  std::string_view boot_id;
  std::string_view time;
  std::string_view policy_hash;  // from `under`; empty: none
  std::string_view signed_part;  // of a checkpoint: the whole member's value
  std::string_view key;
  std::string_view signature;
  std::uint64_t boot_ms = 0;

  [[nodiscard]] bool is_checkpoint() const { return event == "checkpoint"; }
};

// `line` without its newline. Nothing: it is no whole line.
[[nodiscard]] std::optional<LineFields> scan_line(std::string_view line);

inline constexpr std::size_t kHashDigits = 64;

}  // namespace nohalt::policy
