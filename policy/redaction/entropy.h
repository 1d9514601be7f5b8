// Texts that look drawn at random: keys and tokens of no known form.
//
// Threading: pure functions, in linear time.
#pragma once

#include <string_view>
#include <vector>

#include "policy/redaction/span.h"

namespace nohalt::policy {

// Runs of 20 and more characters of the base64 alphabets whose Shannon entropy
// (Shannon 1948, over the run's own characters) is that of random ones: in letters of
// both cases with digits, 4 bits a character; in hexadecimal digits alone, 3 bits
// where the run has 32 and more.
[[nodiscard]] std::vector<Span> find_random(std::string_view text);

// Whether such a run may have it.
[[nodiscard]] bool is_of_run(char c);

}  // namespace nohalt::policy
