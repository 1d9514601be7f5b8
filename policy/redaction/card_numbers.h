// Payment card numbers in text. They are not regular: the check digit (ISO/IEC
// 7812-1 annex B, Luhn) decides, and one in ten of all numbers has a good one. The
// issuer's prefix and length are asked for as well, so that timestamps and ids are
// left alone. Digits may be grouped by single spaces or hyphens, four and more to each
// group but the last (or 4-3-3-3), and a group that is no part of the card ("order 17 4111
// 1111 1111 1111") may stand before or after it: every run of whole groups is tried. What
// is written in hexadecimal (0x...), or stands behind a zero and a decimal point, is no
// card, nor are the digits of a text that is one number with a fraction.
//
// Threading: pure functions, in linear time.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "policy/redaction/span.h"

namespace nohalt::policy {

[[nodiscard]] std::vector<Span> find_cards(std::string_view text);

// Where digits begin that more digits could make a card, had the text not been cut
// at its end. Fewer than seven tell no more than the issuer, and are left.
[[nodiscard]] std::optional<std::size_t> find_cut_card(std::string_view text);

// Whether a card may have it, and whether one may begin in the text and go on behind it.
[[nodiscard]] bool is_of_card(char c);
[[nodiscard]] bool may_begin_card(std::string_view text);

}  // namespace nohalt::policy
