// Gives a syntax tree its meaning at one place of one program: names become
// variables, members get their offsets, every node gets its C type.
//
// Errors, each with a caret: unknown-name (near names), optimized-out (lines
// where it is available), not-a-pointer, not-a-record, no-such-member,
// not-an-array, type-mismatch, unknown-type, needs-raw-right, incomplete-type,
// virtual-base, unsupported-type, wrong-spec.
#pragma once

#include <memory>
#include <string>

#include "probes/language/bound.h"
#include "probes/language/scope.h"
#include "probes/language/template.h"

namespace nohalt::language {

struct BindOptions {
  // The policy right `raw`: casts that replace a known type, integers as
  // pointers, indexes outside an array, pointer arithmetic.
  bool allow_raw = false;
  // A variable that is not available here binds, and its value says so,
  // instead of being an error.
  bool allow_unavailable = false;
};

// `syntax` must come from `source`. The result keeps `name`.
[[nodiscard]] Result<BoundPtr> bind(const Source& source, const Syntax& syntax,
                                    const ScopeView& scope, const BindOptions& options,
                                    std::string name);

// Parse and bind. The name is the text.
[[nodiscard]] Result<BoundPtr> bind_expression(const std::string& text, const ScopeView& scope,
                                               const BindOptions& options,
                                               const std::string& what = "expression");
// As bind_expression, and what comes out must be true or false.
[[nodiscard]] Result<BoundPtr> bind_condition(const std::string& text, const ScopeView& scope,
                                              const BindOptions& options);

// A template whose expressions are bound; fields[i] belongs to texts[i] and is
// checked against its spec.
struct BoundTemplate {
  std::vector<std::string> texts;
  std::vector<BoundPtr> values;
  std::vector<FormatSpec> specs;
};
[[nodiscard]] Result<BoundTemplate> bind_template(const std::string& text, const ScopeView& scope,
                                                  const BindOptions& options);

// Error wrong-spec: the value is not made of bytes.
[[nodiscard]] std::unexpected<Error> wrong_hex(const Source& source, const FormatSpec& spec,
                                               const Expr& root);

// A variable as a value by itself, for a snapshot of all of them; binds
// whatever its state.
[[nodiscard]] BoundPtr bind_variable(const symbols::Variable& variable);

}  // namespace nohalt::language
