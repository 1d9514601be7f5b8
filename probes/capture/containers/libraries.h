// The libraries' own ways of making a container. Internal to recognise.cpp.
#pragma once

#include <optional>
#include <string_view>

#include "probes/capture/containers/container.h"

namespace nohalt::capture::containers {

// By the name of the class template and its members, each of which has to be there and
// to have the shape that the library gives it.
[[nodiscard]] std::optional<Container> libstdcxx_container(std::string_view name, const Type* type);
[[nodiscard]] std::optional<Container> libcxx_container(std::string_view name, const Type* type);
[[nodiscard]] std::optional<Text> libstdcxx_text(std::string_view name, const Type* type);
[[nodiscard]] std::optional<Text> libcxx_text(std::string_view name, const Type* type);

// Rust's: by the type's whole name.
[[nodiscard]] std::optional<Container> rust_container(const Type* type);
[[nodiscard]] std::optional<Text> rust_text(const Type* type);
[[nodiscard]] std::optional<Container> rust_hash(const Type* type, Items::Kind kind);
[[nodiscard]] std::optional<Container> rust_btree(const Type* type, Items::Kind kind);
[[nodiscard]] std::optional<Container> rust_owner(const Type* type);
[[nodiscard]] std::optional<Text> rust_shared_text(const Type* type);

// What the two of C++ have in common: the number of a span's items where its type says it, and the
// kind of an ordered or hashed container by its name.
[[nodiscard]] std::optional<std::uint64_t> last_argument(std::string_view qualified);
[[nodiscard]] std::optional<Items::Kind> tree_kind(std::string_view name);
[[nodiscard]] std::optional<Items::Kind> hash_kind(std::string_view name);
[[nodiscard]] std::optional<Container> owner_of(const Type* type, std::uint64_t pointer_at,
                                                const Type* pointer);

}  // namespace nohalt::capture::containers
