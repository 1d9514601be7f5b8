#include "src/session/function_names.h"

#include <algorithm>

namespace nohalt::session {

namespace {

// The template arguments in "name<first, second>...", of the first `name<` there is.
std::vector<std::string> arguments_of(const std::string& spelled, std::string_view name) {
  std::vector<std::string> found;
  const std::size_t open = spelled.find(std::string(name) + "<");
  if (open == spelled.npos) return found;
  std::size_t begin = open + name.size() + 1;
  int depth = 0;
  for (std::size_t i = begin; i < spelled.size(); ++i) {
    const char c = spelled[i];
    const bool is_arrow = c == '>' && spelled[i - 1] == '-';
    if (c == '<' || c == '(' || c == '{') ++depth;
    const bool closes = c == ')' || c == '}' || (c == '>' && !is_arrow);
    if ((c == ',' && depth == 0) || (closes && depth == 0)) {
      found.push_back(spelled.substr(begin, i - begin));
      begin = i + 1 + (i + 1 < spelled.size() && spelled[i + 1] == ' ' ? 1 : 0);
    }
    if (closes && depth-- == 0) return found;
  }
  return {};
}

// The first pointer to code in an object's members.
const values::Value* code_in(const values::Value& value) {
  if (value.is_to_code) return &value;
  for (const auto& [name, member] : value.members)
    if (const values::Value* found = code_in(member)) return found;
  return nullptr;
}

// What the library made for the callable is named for the callable's type: for a pointer
// to a function it is the pointer that tells more.
void name_callable(values::Value& value, const std::string& invoker) {
  const std::vector<values::Value> held = std::exchange(value.target, {});
  std::vector<std::string> names = arguments_of(invoker, "std::_Function_handler");
  if (!names.empty()) names.erase(names.begin());
  if (names.empty() && !held.empty()) {
    const std::string& type = held[0].dynamic_type.empty() ? held[0].type : held[0].dynamic_type;
    names = arguments_of(type, "__function::__func");
  }
  if (names.empty()) return;
  const bool is_pointer = names[0].find("(*)(") != names[0].npos && !names[0].ends_with('}') &&
                          !names[0].ends_with('>');
  const values::Value* code = is_pointer && !held.empty() ? code_in(held[0]) : nullptr;
  value.symbol = code != nullptr && !code->symbol.empty() ? code->symbol : names[0];
}

}  // namespace

void name_functions(values::Value& value, const stacks::UnwindImages& images) {
  const auto name_at = [&](std::uint64_t address) {
    const auto place = images.find({address});
    return place ? images.table(*place).function_beginning_at(place->address) : std::string{};
  };
  if (value.is_to_code && value.bits != 0) value.symbol = name_at(value.bits);
  for (auto& [name, member] : value.members) name_functions(member, images);
  for (values::Value& item : value.items) name_functions(item, images);
  for (values::Value& target : value.target) name_functions(target, images);
  if (value.kind == values::Value::Kind::kFunction && value.bits != 0)
    name_callable(value, name_at(value.bits));
}

}  // namespace nohalt::session
