// The standard library's exceptions that keep a message or nothing. GCC describes a class only
// where its vtable is, which for these is in the library, so that programs have no more than their
// names. Both libraries lay them out alike, as a part of their ABI: a vtable pointer, and
// in the two that keep a message a pointer to its characters.
//
// Source: libstdc++'s src/c++11/cow-stdexcept.cc (__cow_string), libc++'s
// include/stdexcept (__libcpp_refstring).
#include <algorithm>
#include <array>

#include "probes/symbols/type_reader.h"

namespace nohalt::symbols {

namespace {

constexpr std::string_view kRoot = "std::exception";
constexpr std::uint64_t kWord = 8;

bool keeps_a_message(std::string_view name) {
  return name == "std::runtime_error" || name == "std::logic_error";
}

struct Heir {
  std::string_view name;
  std::string_view base;
};
// They add nothing to their base.
constexpr std::array<Heir, 7> kHeirs = {{{"std::domain_error", "std::logic_error"},
                                         {"std::invalid_argument", "std::logic_error"},
                                         {"std::length_error", "std::logic_error"},
                                         {"std::out_of_range", "std::logic_error"},
                                         {"std::overflow_error", "std::runtime_error"},
                                         {"std::range_error", "std::runtime_error"},
                                         {"std::underflow_error", "std::runtime_error"}}};

}  // namespace

void TypeReader::complete_known(Type& type, std::string_view name) {
  const bool is_root = name == kRoot;
  const auto heir = std::ranges::find(kHeirs, name, &Heir::name);
  const bool is_heir = heir != kHeirs.end();
  if (!is_root && !is_heir && !keeps_a_message(name)) return;
  type.is_declaration = false;
  type.members.clear();
  Member& first = type.members.emplace_back();
  first.name = is_root ? "_vptr" : "";
  first.is_base_class = !is_root;
  first.type = is_root ? pointer_to(void_) : known_class(is_heir ? heir->base : kRoot);
  type.byte_size = is_heir ? 2 * kWord : kWord;
  if (is_root || is_heir) return;
  Member& message = type.members.emplace_back();
  message.name = "what";
  message.byte_offset = kWord;
  message.type = pointer_to(plain_char_);
  type.byte_size = 2 * kWord;
}

const Type* TypeReader::known_class(std::string_view name) {
  const auto [found, is_new] = known_classes_.try_emplace(std::string(name), nullptr);
  if (!is_new) return found->second;
  Entry& entry = entries_.emplace_back();
  entry.type.kind = TypeKind::kStruct;
  entry.type.name = entry.own_name = name;
  entry.state = State::kDone;
  by_type_.emplace(&entry.type, &entry);
  found->second = &entry.type;
  complete_known(entry.type, name);
  return &entry.type;
}

std::vector<const Type*> TypeReader::known_heirs(const Type& type) {
  if (type.name != kRoot) return {};
  return {known_class("std::runtime_error"), known_class("std::logic_error")};
}

}  // namespace nohalt::symbols
