// Which types are containers of the standard libraries, as far as their debug
// information goes: by name and by members. What is not made as expected is no container
// but a struct like others.
#pragma once

#include <memory>
#include <optional>

#include "probes/capture/containers/container.h"
#include "probes/capture/containers/fields.h"

namespace nohalt::capture::containers {

// Null: none. Typedefs are looked through.
[[nodiscard]] std::shared_ptr<const Container> recognise(const Type* type);
[[nodiscard]] std::optional<Text> recognise_text(const Type* type);

// The pointer in what libstdc++'s exceptions keep their message in: a text that ends with
// a null. It lies in a union, with what nobody uses.
[[nodiscard]] std::optional<Field> recognise_message(const Type* type);

}  // namespace nohalt::capture::containers
