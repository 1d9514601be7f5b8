#include "src/session/function_names.h"

namespace nohalt::session {

void name_functions(values::Value& value, const stacks::UnwindImages& images) {
  if (value.is_to_code && value.bits != 0)
    if (const auto place = images.find({value.bits}))
      value.symbol = images.table(*place).function_beginning_at(place->address);
  for (auto& [name, member] : value.members) name_functions(member, images);
  for (values::Value& item : value.items) name_functions(item, images);
  for (values::Value& target : value.target) name_functions(target, images);
}

}  // namespace nohalt::session
