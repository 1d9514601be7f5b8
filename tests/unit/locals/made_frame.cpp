#include "tests/unit/locals/made_frame.h"

#include <cstring>

namespace nohalt::locals {

using symbols::Op;
using symbols::OpKind;
using symbols::Type;
using symbols::TypeKind;

namespace {

Type simple(TypeKind kind, std::string name, std::uint64_t size, const Type* target = nullptr) {
  Type type;
  type.kind = kind;
  type.name = std::move(name);
  type.byte_size = size;
  type.is_signed = target == nullptr;
  type.target = target;
  return type;
}

Type characters() {
  Type type = simple(TypeKind::kArray, "char [8]", 8, &kChar);
  type.element_count = 8;
  return type;
}

Type account() {
  Type type = simple(TypeKind::kStruct, "account", 24);
  const auto add = [&](const char* name, const Type& of, std::uint64_t at) {
    symbols::Member member;
    member.name = name;
    member.type = &of;
    member.byte_offset = at;
    type.members.push_back(std::move(member));
  };
  add("id", kLong, 0);
  add("password", kName, 8);
  add("limit", kLong, 16);
  return type;
}

stacks::CapturedStack captured(const std::vector<std::uint64_t>& words) {
  return {{}, {kStack}, std::as_bytes(std::span(words))};
}

}  // namespace

const Type kInt = simple(TypeKind::kInteger, "int", 4);
const Type kLong = simple(TypeKind::kInteger, "long", 8);
const Type kChar = simple(TypeKind::kChar, "char", 1);
const Type kName = characters();
const Type kCharPointer = simple(TypeKind::kPointer, "char *", 8, &kChar);
const Type kAccount = account();
const Type kAccountPointer = simple(TypeKind::kPointer, "account *", 8, &kAccount);

MadeFrame::MadeFrame(std::vector<std::uint64_t> words)
    : words_(std::move(words)),
      images_(target::Maps(), stacks::ImageOptions{}),
      memory_(captured(words_), images_) {
  frame_.kind = stacks::FrameKind::kNormal;
  frame_.registers[kRbx] = 0xb0b;
  frame_.registers[stacks::kRsp] = kStack;
}

values::Value MadeFrame::value(const symbols::Variable& variable) const {
  return value_of(variable, frame_, memory_, {{}, hides_password});
}

symbols::Variable variable(std::string name, const Type& type, symbols::Location location) {
  symbols::Variable made;
  made.name = std::move(name);
  made.type = &type;
  made.location = std::move(location);
  return made;
}

symbols::Location above(std::uint64_t bytes) {
  return symbols::InMemory{.address = {Op{.kind = OpKind::kRegister, .number = stacks::kRsp},
                                       Op{.kind = OpKind::kConstant, .value = bytes},
                                       Op{.kind = OpKind::kPlus}}};
}

bool hides_password(std::string_view path, const symbols::Type&) {
  return path.find("password") != path.npos;
}

std::uint64_t word_of(const std::string& text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), std::min(text.size(), sizeof word));
  return word;
}

}  // namespace nohalt::locals
