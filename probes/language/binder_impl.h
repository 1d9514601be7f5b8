// The binder's inside: one object for one expression.
#pragma once

#include "probes/language/binder.h"

namespace nohalt::language {

class Binder {
 public:
  Binder(const Source& source, const ScopeView& scope, const BindOptions& options, TypeStore& types)
      : source_(source), scope_(scope), options_(options), types_(types) {}

  // A value; places are loaded.
  [[nodiscard]] Result<ExprPtr> value(const Syntax& syntax);
  // As in a condition: a scalar, compared with zero where it is not a bool.
  [[nodiscard]] Result<ExprPtr> truth(const Syntax& syntax);

 private:
  // A place where there is one, otherwise a value (bind_place.cpp).
  [[nodiscard]] Result<ExprPtr> any(const Syntax& syntax, const Type* hint = nullptr);
  [[nodiscard]] Result<ExprPtr> name(const Syntax& syntax, const Type* hint);
  [[nodiscard]] Result<ExprPtr> variable(const Syntax& syntax, const symbols::Variable& found);
  [[nodiscard]] Result<ExprPtr> member_of_this(const Syntax& syntax);
  [[nodiscard]] ExprPtr enumerator(const Syntax& syntax, const Type* hint);
  [[nodiscard]] std::unexpected<Error> unknown_name(const Syntax& syntax) const;
  [[nodiscard]] Result<ExprPtr> member(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> select(ExprPtr record, const Syntax& syntax,
                                       const std::string& name);
  [[nodiscard]] Result<ExprPtr> static_member(const Type* record, const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> dereference(ExprPtr pointer, Span mark);
  [[nodiscard]] Result<ExprPtr> index(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> element(ExprPtr array, ExprPtr index, Span mark);
  [[nodiscard]] Result<ExprPtr> address_of(const Syntax& syntax);
  [[nodiscard]] ExprPtr address(ExprPtr place, Span span);

  // Bounds (bind_index.cpp).
  [[nodiscard]] Result<ExprPtr> slice(const Syntax& syntax);
  [[nodiscard]] Result<std::uint64_t> slice_end(const Syntax& syntax);
  [[nodiscard]] Status check_slice(const Expr& object, std::uint64_t begin, std::uint64_t end,
                                   Span ends) const;

  // Operators (bind_operator.cpp).
  [[nodiscard]] Result<ExprPtr> unary(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> binary(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> logical(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> comparison(const Syntax& syntax, ExprPtr left, ExprPtr right);
  [[nodiscard]] Result<ExprPtr> text_comparison(const Syntax& syntax, ExprPtr left, ExprPtr right);
  [[nodiscard]] Result<ExprPtr> arithmetic(const Syntax& syntax, ExprPtr left, ExprPtr right);
  [[nodiscard]] Result<ExprPtr> pointer_arithmetic(const Syntax& syntax, ExprPtr left,
                                                   ExprPtr right);
  [[nodiscard]] Result<ExprPtr> conditional(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> length(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> text_test(const Syntax& syntax);

  // Casts (bind_cast.cpp).
  [[nodiscard]] Result<ExprPtr> cast(const Syntax& syntax);
  [[nodiscard]] Result<ExprPtr> pointer_cast(const Syntax& syntax, ExprPtr operand,
                                             const Type* target);
  [[nodiscard]] Status stays_inside(Span mark, const Expr& pointer, const Type* to) const;
  [[nodiscard]] Result<const Type*> written_type(const Syntax& syntax);

  // Small parts.
  [[nodiscard]] static ExprPtr make(ExprKind kind, Span span, const Type* type);
  [[nodiscard]] ExprPtr load(ExprPtr place);   // arrays stay arrays
  [[nodiscard]] ExprPtr decay(ExprPtr value);  // an array's value becomes the address of it
  [[nodiscard]] ExprPtr convert(ExprPtr value, const Type* type);
  [[nodiscard]] ExprPtr promoted(ExprPtr value);
  [[nodiscard]] ExprPtr is_true(ExprPtr value);  // != 0, typed bool
  [[nodiscard]] Result<ExprPtr> scalar(const Syntax& syntax, const Type* hint = nullptr);
  [[nodiscard]] std::unexpected<Error> mismatch(Span span, const std::string& problem,
                                                std::string hint = {}) const;
  [[nodiscard]] std::unexpected<Error> needs_raw(Span span, const std::string& problem) const;

  const Source& source_;
  const ScopeView& scope_;
  const BindOptions& options_;
  TypeStore& types_;
};

// The chain of members, outermost first, from a record to the named one;
// through anonymous members and bases. Empty: none.
[[nodiscard]] std::vector<const symbols::Member*> find_member(const Type* record,
                                                              std::string_view name);
// The place whose address the pointer is, where the expression makes it; else null.
[[nodiscard]] const Expr* made_of(const Expr& pointer);
// The constant that a value is, where it is one.
[[nodiscard]] std::optional<std::uint64_t> constant_integer(const Expr& value);
// `bits` as a value of this integral or pointer type: cut and extended to 64.
[[nodiscard]] std::uint64_t fit_integer(std::uint64_t bits, const Type* type);

}  // namespace nohalt::language
