// What lies in the bytes of a value, as far as capturing it goes: which of them
// must not be copied, and which are pointers worth following.
#pragma once

#include <string>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/capture/spot.h"

namespace nohalt::capture {

struct Lead {
  enum class Kind { kText, kStdString, kRecord };
  Kind kind{};
  std::uint64_t at = 0;          // where the pointer is, in the value's bytes
  std::uint64_t length_at = 0;   // std::string: where its length is
  const Type* target = nullptr;  // what it leads to
  std::string path;              // what redaction rules see
};

struct Shape {
  std::vector<Hole> holes;  // sorted, apart from each other
  std::vector<Lead> leads;
};

struct ShapeRules {
  const IsRedacted& is_redacted;
  std::uint64_t bytes = 0;  // of the value that are captured
  std::uint32_t items = 20;
  bool follow_records = false;
};

[[nodiscard]] Shape shape_of(const Type* type, const std::string& path, const ShapeRules& rules);

// True where reading the expression's value would read, or be steered by,
// something that is redacted.
[[nodiscard]] bool is_hidden(const Expr& expr, const IsRedacted& is_redacted);
[[nodiscard]] bool is_redacted_step(const std::string& path, const Type* type,
                                    const IsRedacted& is_redacted);

// The parts of [0, size) that are in no hole.
[[nodiscard]] std::vector<Hole> gaps_between(const std::vector<Hole>& holes, std::uint64_t size);
// Sorts and joins.
void tidy(std::vector<Hole>& holes);

}  // namespace nohalt::capture
