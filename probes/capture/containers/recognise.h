// Which types are containers of the standard libraries, as far as their debug
// information goes: by name and by members. What is not made as expected is no container
// but a struct like others.
#pragma once

#include <memory>
#include <optional>

#include "probes/capture/containers/container.h"

namespace nohalt::capture::containers {

// Null: none. Typedefs are looked through.
[[nodiscard]] std::shared_ptr<const Container> recognise(const Type* type);
[[nodiscard]] std::optional<Text> recognise_text(const Type* type);

}  // namespace nohalt::capture::containers
