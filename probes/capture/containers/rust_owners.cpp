// Rust's Rc, Arc and their Weak: a pointer to a box with two counts and the value behind
// them. Of one to a str or a slice the pointer has the length beside it; one to a dyn Trait is
// no container here, since only its vtable knows where in the box the value is.
#include <algorithm>

#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/libraries.h"

namespace nohalt::capture::containers {

using symbols::strip_typedefs;

namespace {

struct Shared {
  std::uint64_t pointer_at = 0;
  std::optional<std::uint64_t> length_at;
  std::uint64_t uses = 0;
  std::uint64_t watchers = 0;
  std::uint64_t value = 0;  // in the box
  const Type* item = nullptr;
};

bool is_name_of(const Type* type, std::string_view name, std::string_view argument) {
  const std::string_view whole = type->name;
  if (!whole.starts_with("alloc::rc::") && !whole.starts_with("alloc::sync::")) return false;
  const std::string_view rest = whole.substr(whole.find("::", 7) + 2);
  return rest.starts_with(name) && rest.substr(name.size()).starts_with('<') &&
         rest.substr(name.size() + 1).starts_with(argument);
}

bool is_shared(const Type* type, std::string_view argument) {
  return is_name_of(type, "Rc", argument) || is_name_of(type, "Arc", argument) ||
         is_name_of(type, "Weak", argument);
}

std::optional<Shared> shared(const Type* type) {
  Shared found;
  auto pointer = find_pointer(type, {"ptr", "pointer"});
  if (!pointer) {
    pointer = find_pointer(type, {"ptr", "pointer", "data_ptr"});
    const auto length = find_word(type, {"ptr", "pointer", "length"});
    if (!pointer || !length) return std::nullopt;
    found.length_at = length->at;
  }
  found.pointer_at = pointer->at;
  const Type* box = sized(pointer->type->target);
  const auto uses = box ? find_field(box, {"strong"}) : std::nullopt;
  const auto watchers = box ? find_field(box, {"weak"}) : std::nullopt;
  auto value = box ? find_field(box, {"value"}) : std::nullopt;
  if (!value && box != nullptr) value = find_field(box, {"data"});
  if (!uses || !watchers || !value) return std::nullopt;
  if (uses->type->byte_size != 8 || watchers->type->byte_size != 8) return std::nullopt;
  found.uses = uses->at;
  found.watchers = watchers->at;
  found.value = value->at;
  found.item = value->member->type;
  return found;
}

}  // namespace

std::optional<Container> rust_owner(const Type* type) {
  if (!is_shared(type, "")) return std::nullopt;
  const auto found = shared(type);
  const Type* item = found ? sized(found->item) : nullptr;
  if (!found) return std::nullopt;
  if (found->length_at) {
    // The counts are not shown; a Weak's items may be gone, and only they would tell.
    const bool keeps = !is_name_of(type, "Weak", "");
    if (!keeps || item == nullptr) return std::nullopt;
    return Container{Items::Kind::kSequence, item,
                     Row{found->pointer_at, {}, found->length_at, 0, {}, found->value}};
  }
  Owner owner{found->pointer_at, false, {}, found->value, true};
  owner.control = {found->pointer_at, found->uses, found->watchers, 8, 0};
  return Container{Items::Kind::kPointer, item, owner};
}

std::optional<Text> rust_shared_text(const Type* type) {
  if (!is_name_of(type, "Rc", "str") && !is_name_of(type, "Arc", "str")) return std::nullopt;
  const std::string_view name = type->name;
  const std::string_view behind = name.substr(name.find("<str") + 4);
  if (!behind.starts_with('>') && !behind.starts_with(',')) return std::nullopt;
  const auto found = shared(type);
  if (!found || !found->length_at) return std::nullopt;
  return Text{found->pointer_at, *found->length_at, false, 0, 0, 1, found->value};
}

}  // namespace nohalt::capture::containers
