// Linkers' names as C++ and Rust spell them.
//
// Threading: pure.
#pragma once

#include <optional>
#include <string>

namespace nohalt::symbols {

// Without a version. None: it is no mangled name, or its spelling would be too long.
[[nodiscard]] std::optional<std::string> cpp_spelling(const std::string& name);
[[nodiscard]] std::optional<std::string> rust_spelling(const std::string& name);

}  // namespace nohalt::symbols
