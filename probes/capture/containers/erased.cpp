#include "probes/capture/containers/erased.h"

#include <algorithm>

#include "probes/capture/containers/fields.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;
using symbols::Type;

std::optional<Erased> erased_bytes(const Type* type) {
  const Type* real = strip_typedefs(type);
  const std::string_view name = real->name;
  if (name == "std::_Any_data") return Erased{8, std::max<std::uint64_t>(real->byte_size, 8)};
  const bool is_shared =
      name.starts_with("std::__1::__shared_ptr_emplace<") && name.ends_with(">::_Storage");
  if (is_shared || name == "std::any::_Storage" || name == "std::__1::any::_Storage")
    return Erased{0, real->byte_size};
  if (!name.starts_with("std::__1::__function::__value_func<")) return std::nullopt;
  const auto buffer = find_field(real, {"__buf_"});
  return buffer ? std::optional(Erased{buffer->at, buffer->at + buffer->type->byte_size})
                : std::nullopt;
}

bool is_erased(const Type* type, const symbols::Member& member) {
  return erased_bytes(type) && member.name != "__f_";
}

}  // namespace nohalt::capture::containers
