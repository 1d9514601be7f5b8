// Parts of texts that an expression takes: characters by their index, what a pointer into
// the middle leads to, numbers made of its bytes. By itself a part looks like nothing, so
// the whole text is captured with it, once for all its parts, and put to the value rules;
// where they hide something of it, or the part lies in what was not captured of it, the
// part is hidden. Of a text whose end nobody knows no more is captured than it takes to
// tell: what could go on to become a match counts as one.
// A number that an index is made of, or that chooses between pointers, is judged in the same
// way, as it would be shown: which element is shown, or where it is, tells the number.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "policy/redaction/value_rules.h"
#include "probes/capture/layout.h"
#include "probes/language/bound.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// `size` bytes of a text, from `begin` on and `stride` further for each of `index`.
struct Part {
  static constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();

  std::size_t from_last = 0;  // what takes it, from the last that is asked for
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::uint64_t stride = 0;
  language::BoundPtr index = nullptr;  // null: none
};

struct Slice {
  std::vector<Part> parts;
  language::BoundPtr text;
  bool may_go_on = false;  // there may be more of it than is captured
  bool is_number = false;  // no text: what chooses a place
};

// The texts that the values take parts of.
[[nodiscard]] std::vector<Slice> slices_of(const std::vector<language::BoundPtr>& values);
// How many parts of texts an expression takes, tests of texts not counted.
[[nodiscard]] std::size_t parts_in(const language::Expr& expr);

// What is to be captured for them, behind all that is asked for.
[[nodiscard]] std::vector<language::BoundPtr> beside(const std::vector<Slice>& slices);

// Takes it off the end of `values` again and hides the parts of texts that a rule knows. The
// values that are asked for are the last before it.
void hide_slices(const std::vector<Slice>& slices, const capture::CaptureLayout& layout,
                 std::span<const std::byte> body, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules);

// What is known of it is that it is a part of something.
void hide_part(values::Value& value, std::string why);

}  // namespace nohalt::session
