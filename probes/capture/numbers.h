// What is a number, where nothing but numbers and truth values may be read.
//
// A program keeps text in chars and bytes, so none of these is a number: characters of
// any width, integers of one byte, enums of one byte without names (std::byte), and in rows
// those with names too, whatever they are members of; nor are addresses and lengths. A number is
// read as what its declaration says it is, or not at all: not through a cast, by pointer
// arithmetic, or past the end of an array, since what lies there may be text.
//
// Threading: pure functions.
#pragma once

#include "probes/language/bound.h"
#include "probes/symbols/types.h"

namespace nohalt::capture {

// Of what has no parts: whether it is a number, by itself or as one of a row.
enum class Standing { kAlone, kInRow };
[[nodiscard]] bool is_number(const symbols::Type* type, Standing standing);
// Whether the type has parts, which are judged one by one.
[[nodiscard]] bool has_parts(const symbols::Type* type);
// Whether there is any number in it, or in what it contains.
[[nodiscard]] bool has_numbers(const symbols::Type* type, Standing standing);
// Of a place: whether one of the steps to it takes an item of many.
[[nodiscard]] bool lies_in_row(const language::Expr& place);

// Whether the value takes numbers alone. Of one that has parts, whether they may be read
// in its place.
[[nodiscard]] bool reads_numbers(const language::Expr& value);

}  // namespace nohalt::capture
