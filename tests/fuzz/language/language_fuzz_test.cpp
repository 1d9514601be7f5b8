// Any bytes as an expression or a template: an answer or an error with a caret,
// never anything else, and soon. Half of the inputs are noise, half are pieces
// of real expressions put together anyhow.
#include <gtest/gtest.h>

#include <random>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "tests/unit/language/fake_scope.h"

namespace nohalt::language {
namespace {

std::string noise(std::mt19937_64& random) {
  std::string text(random() % 80, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string pieces(std::mt19937_64& random) {
  constexpr const char* kPieces[] = {"count",
                                     "u->name",
                                     "me",
                                     ".age",
                                     "->age",
                                     "[",
                                     "]",
                                     "(",
                                     ")",
                                     "{",
                                     "}",
                                     "{{",
                                     "}}",
                                     ":",
                                     "?",
                                     "*",
                                     "&",
                                     "+",
                                     "-",
                                     "==",
                                     "!=",
                                     "&&",
                                     "||",
                                     "<<",
                                     "'a'",
                                     "\"txt\"",
                                     "1",
                                     "0x1f",
                                     "2.5",
                                     "len(",
                                     "$tid",
                                     "$func",
                                     "(struct user *)",
                                     "(unsigned long)",
                                     "items",
                                     "ratio",
                                     "08x",
                                     ".2f",
                                     "=",
                                     " ",
                                     "::",
                                     "\\",
                                     "'",
                                     "\"",
                                     "st",
                                     "RUNNING",
                                     "blob",
                                     "text",
                                     "gone",
                                     "!",
                                     "~",
                                     "/",
                                     "%"};
  std::string text;
  for (std::size_t i = random() % 14 + 1; i > 0; --i)
    text += kPieces[random() % std::size(kPieces)];
  return text;
}

void try_all(const std::string& text, const test::StockScope& stock, int& bound_ones) {
  const BindOptions options{.allow_raw = text.size() % 2 == 0, .allow_unavailable = true};
  for (const auto& result :
       {bind_expression(text, stock.scope, options), bind_condition(text, stock.scope, options)}) {
    if (!result) {
      EXPECT_FALSE(result.error().reason.empty());
      EXPECT_NE(result.error().message.find('^'), std::string::npos) << result.error().message;
      continue;
    }
    ++bound_ones;
    const auto built = capture::build_capture({{*result}, *result, {}, {}, {}});
    if (!built) {
      EXPECT_NE(built.error().code, ErrorCode::kInternal) << text << built.error().message;
    }
  }
  const auto message = bind_template(text, stock.scope, options);
  if (!message) {
    EXPECT_NE(message.error().message.find('^'), std::string::npos) << message.error().message;
  }
}

TEST(LanguageFuzz, takes_any_bytes) {
  std::mt19937_64 random(20);
  const test::StockScope stock;
  int bound_ones = 0;
  for (int round = 0; round < 40'000; ++round) {
    try_all(round % 2 == 0 ? noise(random) : pieces(random), stock, bound_ones);
  }
  EXPECT_GT(bound_ones, 100);
}

}  // namespace
}  // namespace nohalt::language
