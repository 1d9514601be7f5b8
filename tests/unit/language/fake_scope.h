// Types and names made by hand, so that the language is tested without DWARF.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "probes/language/scope.h"

namespace nohalt::test {

using symbols::Type;
using symbols::TypeKind;

class FakeScope final : public language::ScopeView {
 public:
  const Type* scalar(TypeKind kind, const std::string& name, std::uint64_t size, bool is_signed) {
    Type type;
    type.kind = kind;
    type.name = name;
    type.byte_size = size;
    type.is_signed = is_signed;
    return add(std::move(type));
  }
  const Type* pointer(const Type* target) {
    Type type;
    type.kind = TypeKind::kPointer;
    type.name = target->name + " *";
    type.byte_size = 8;
    type.target = target;
    return add(std::move(type));
  }
  const Type* array(const Type* item, std::optional<std::uint64_t> count) {
    Type type;
    type.kind = TypeKind::kArray;
    type.name = item->name + " [" + (count ? std::to_string(*count) : "") + "]";
    type.byte_size = item->byte_size * count.value_or(0);
    type.target = item;
    type.element_count = count;
    return add(std::move(type));
  }
  const Type* alias(const std::string& name, const Type* target) {
    Type type;
    type.kind = TypeKind::kTypedef;
    type.name = name;
    type.byte_size = target->byte_size;
    type.target = target;
    return add(std::move(type));
  }
  // Members laid out as given: name, type, offset.
  const Type* record(TypeKind kind, const std::string& name, std::uint64_t size,
                     std::vector<symbols::Member> members) {
    Type type;
    type.kind = kind;
    type.name = name;
    type.byte_size = size;
    type.members = std::move(members);
    return add(std::move(type));
  }
  const Type* enumeration(const std::string& name, std::vector<symbols::Enumerator> enumerators) {
    Type type;
    type.kind = TypeKind::kEnum;
    type.name = name;
    type.byte_size = 4;
    type.enumerators = std::move(enumerators);
    return add(std::move(type));
  }
  static symbols::Member member(const std::string& name, const Type* type, std::uint64_t offset) {
    symbols::Member member;
    member.name = name;
    member.type = type;
    member.byte_offset = offset;
    return member;
  }
  const Type* add(Type type) {
    types_.push_back(std::move(type));
    return named_[types_.back().name] = &types_.back();
  }

  symbols::Variable& local(const std::string& name, const Type* type,
                           symbols::Location location = symbols::InRegister{0}) {
    locals_.push_back({});
    locals_.back().name = name;
    locals_.back().type = type;
    locals_.back().location = std::move(location);
    return locals_.back();
  }

  const std::vector<symbols::Variable>& locals() const override { return locals_; }
  Result<std::optional<symbols::Variable>> find_global(std::string_view name) const override {
    for (const symbols::Variable& global : globals) {
      if (global.name == name) return global;
    }
    return std::optional<symbols::Variable>();
  }
  const Type* find_type(std::string_view name) const override {
    const auto found = named_.find(std::string(name));
    return found == named_.end() ? nullptr : found->second;
  }
  std::string function() const override { return "handle"; }
  std::uint32_t line() const override { return 42; }

  std::vector<symbols::Variable> globals;

 private:
  std::deque<Type> types_;
  std::map<std::string, const Type*> named_;
  std::vector<symbols::Variable> locals_;
};

// A scope with a bit of everything that tests bind against.
class StockScope {
 public:
  StockScope() {
    int_type = scope.scalar(TypeKind::kInteger, "int", 4, true);
    char_type = scope.scalar(TypeKind::kChar, "char", 1, true);
    unsigned_type = scope.scalar(TypeKind::kInteger, "unsigned int", 4, false);
    double_type = scope.scalar(TypeKind::kFloat, "double", 8, true);
    void_type = scope.scalar(TypeKind::kVoid, "void", 0, false);
    user = scope.record(TypeKind::kStruct, "struct user", 24,
                        {FakeScope::member("name", scope.pointer(char_type), 0),
                         FakeScope::member("age", int_type, 8),
                         FakeScope::member("password", scope.pointer(char_type), 16)});
    state = scope.enumeration("enum state", {{"IDLE", 0}, {"RUNNING", 1}});
    scope.local("count", int_type);
    scope.local("total", unsigned_type);
    scope.local("ratio", double_type, symbols::InRegister{17});
    scope.local("u", scope.pointer(user));
    scope.local("me", user,
                symbols::InMemory{{{symbols::OpKind::kRegister, 7, 0, 0}}, true, false});
    scope.local("items", scope.array(int_type, 4),
                symbols::InMemory{{{symbols::OpKind::kRegister, 7, 0, 0}}, true, false});
    scope.local("blob", scope.pointer(void_type));
    scope.local("text", scope.pointer(char_type));
    scope.local("st", state);
    auto& gone = scope.local("gone", int_type, symbols::Unavailable{});
    gone.available_lines = {41, 43};
  }

  FakeScope scope;
  const Type* int_type;
  const Type* char_type;
  const Type* unsigned_type;
  const Type* double_type;
  const Type* void_type;
  const Type* user;
  const Type* state;
};

}  // namespace nohalt::test
