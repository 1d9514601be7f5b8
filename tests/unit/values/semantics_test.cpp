// The evaluator and the types it computes in, against a C compiler.
#include "tests/unit/values/semantics.h"

#include <gtest/gtest.h>

#include "probes/capture/capture.h"
#include "probes/records/values/decode.h"
#include "tests/unit/language/fake_scope.h"

namespace nohalt::values {
namespace {

long double as_number(const Value& value) {
  if (value.kind == Value::Kind::kFloat) return value.floating;
  return value.is_signed ? static_cast<long double>(static_cast<std::int64_t>(value.bits))
                         : static_cast<long double>(value.bits);
}

TEST(Semantics, are_those_of_a_c_compiler) {
  const test::StockScope stock;
  ASSERT_GT(semantics_count, 50);
  for (int i = 0; i < semantics_count; ++i) {
    const semantics_case& wanted = semantics_cases[i];
    const auto bound = language::bind_expression(wanted.text, stock.scope, {});
    ASSERT_TRUE(bound) << bound.error().message;
    const auto built = capture::build_capture({{*bound}, nullptr, {}, {}, {}});
    ASSERT_TRUE(built) << wanted.text << ": " << built.error().message;
    const std::vector<std::byte> body(built->layout.record_size);
    const Value value = decode(built->layout, body, {})[0].value;
    ASSERT_EQ(value.state, ValueState::kExact) << wanted.text << ": " << value.why;
    EXPECT_EQ(as_number(value), wanted.value) << wanted.text;
    // C calls a comparison an int and a character literal too; here they are
    // bool and char, as in C++.
    const bool own = value.kind == Value::Kind::kBool || value.kind == Value::Kind::kChar;
    if (!own) {
      EXPECT_EQ(value.byte_size, wanted.size) << wanted.text;
    }
  }
}

}  // namespace
}  // namespace nohalt::values
