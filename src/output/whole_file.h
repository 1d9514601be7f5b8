// A file that is there as a whole or not at all, for its owner alone. One of that name
// is replaced, if it is a regular file of the caller's with one name. Behind sudo the caller
// is who logged in.
//
// Threading: one thread.
#pragma once

#include <string>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::output {

// Whether the file could be written, as far as that is seen beforehand. Reason
// "output-unwritable", as of the other.
[[nodiscard]] Status may_write_file(const std::string& path);
[[nodiscard]] Status write_whole_file(const std::string& path, std::string_view bytes);

}  // namespace nohalt::output
