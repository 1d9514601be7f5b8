// Expressions by chance. Whatever binds must build, pass the verifier and run
// within its rules; and the program's verdict on it as a condition must be the
// evaluator's verdict on it as a value: two implementations, one meaning.
#include <gtest/gtest.h>

#include <random>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/program/verifier.h"
#include "probes/records/values/decode.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::capture {
namespace {

class Sentence {
 public:
  explicit Sentence(std::uint64_t seed) : random_(seed) {}

  std::string expression(int depth) {
    if (depth <= 0 || pick(5) == 0) return leaf();
    switch (pick(10)) {
      case 0:
        return std::string(1, "!-~*&"[pick(5)]) + expression(depth - 1);
      case 1:
        return "(" + expression(depth - 1) + " ? " + expression(depth - 1) + " : " +
               expression(depth - 1) + ")";
      case 2:
        return std::string(kCasts[pick(std::size(kCasts))]) + "(" + expression(depth - 1) + ")";
      case 3:
        return "n->matrix[" + expression(depth - 1) + "][" + leaf() + "]";
      case 4:
        return text() + (pick(2) == 0 ? " == \"alice\"" : " != \"second\"");
      default:
        return "(" + expression(depth - 1) + " " + kOperators[pick(std::size(kOperators))] + " " +
               expression(depth - 1) + ")";
    }
  }

 private:
  static constexpr const char* kOperators[] = {"+", "-",  "*",  "/",  "%", "<<", ">>", "<",  "<=",
                                               ">", ">=", "==", "!=", "&", "|",  "^",  "&&", "||"};
  static constexpr const char* kCasts[] = {"(int)",   "(unsigned char)", "(long)",         "(bool)",
                                           "(short)", "(unsigned)",      "(struct node *)"};
  static constexpr const char* kLeaves[] = {"n->id",
                                            "n->lo",
                                            "n->mid",
                                            "n->wide",
                                            "n->color",
                                            "n->in.s",
                                            "n->big",
                                            "n->in.d",
                                            "n->inp->d",
                                            "n->u.real",
                                            "n->next->id",
                                            "n->next->next->id",
                                            "n",
                                            "n->next",
                                            "n->tag[2]",
                                            "numbers[index]",
                                            "a",
                                            "b",
                                            "x",
                                            "y",
                                            "yes",
                                            "global_counter",
                                            "n->flags",
                                            "wild->id",
                                            "0",
                                            "1",
                                            "-9",
                                            "41",
                                            "0.5",
                                            "0xffffffffu",
                                            "7ul",
                                            "n->name",
                                            "len(n->name)",
                                            "*n->name",
                                            "n->matrix[1][1]",
                                            "1.5f",
                                            "untyped",
                                            "nothing",
                                            "precise",
                                            "copy.id",
                                            "copy.in.d",
                                            "local_text[0]"};
  std::string leaf() { return kLeaves[pick(std::size(kLeaves))]; }
  std::string text() {
    constexpr const char* kTexts[] = {
        "n->name", "n->tag",     "n->next->name", "n->next->next->name",
        "text",    "local_text", "nothing"};
    return kTexts[pick(std::size(kTexts))];
  }
  std::size_t pick(std::size_t count) { return random_() % count; }

  std::mt19937_64 random_;
};

// What a program cannot do, said as such; anything else is a defect.
bool is_honest(const Error& error) {
  return error.reason == "not-computed-in-target" || error.reason == "expression-too-large";
}

class RandomTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Compiled, RandomTest, testing::Values(SUBJECT_O0, SUBJECT_O2),
                         [](const auto& i) { return i.index == 0 ? "plain" : "optimised"; });

TEST_P(RandomTest, program_and_evaluator_agree) {
  const test::StoppedSubject subject(GetParam(), SUBJECT_SOURCE, "work");
  ASSERT_TRUE(subject.ready());
  int compared = 0;
  int true_ones = 0;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    const std::string text = Sentence(seed).expression(1 + static_cast<int>(seed % 4));
    const language::BindOptions options{.allow_raw = seed % 2 == 0, .allow_unavailable = true};
    const auto condition = language::bind_condition(text, subject.scope(), options);
    if (!condition) continue;
    const auto as_value = build_capture({{*condition}, nullptr, {}, subject.bias(), {}});
    if (!as_value) {
      ASSERT_TRUE(is_honest(as_value.error())) << text << ": " << as_value.error().message;
      continue;
    }
    const auto read = subject.run(as_value->program);
    ASSERT_FALSE(read.execution.violation) << text;
    ASSERT_TRUE(read.committed) << text;
    const values::Value value = values::decode(as_value->layout, read.body, {})[0].value;

    const auto as_condition = build_capture({{}, *condition, {}, subject.bias(), {}});
    if (!as_condition) {
      ASSERT_TRUE(is_honest(as_condition.error())) << text << ": " << as_condition.error().message;
      continue;
    }
    const auto run = subject.run(as_condition->program);
    ASSERT_FALSE(run.execution.violation) << text;
    const auto outcome = static_cast<program::Outcome>(run.execution.result);
    const auto wanted = !value.is_there() ? program::Outcome::kConditionUnavailable
                        : value.bits != 0 ? program::Outcome::kCommitted
                                          : program::Outcome::kNoMatch;
    ASSERT_EQ(outcome, wanted) << text << " evaluates to " << values::to_text(value);
    ++compared;
    if (outcome == program::Outcome::kCommitted) ++true_ones;
  }
  EXPECT_GT(compared, 1000);
  EXPECT_GT(true_ones, 200);
}

TEST_P(RandomTest, every_request_passes_the_verifier) {
  const test::StoppedSubject subject(GetParam(), SUBJECT_SOURCE, "work");
  ASSERT_TRUE(subject.ready());
  std::mt19937_64 random(7);
  int built_ones = 0;
  for (int round = 0; round < 400; ++round) {
    CaptureRequest request;
    request.bias = subject.bias();
    request.limits.depth = static_cast<std::uint32_t>(1 + random() % 5);
    request.limits.string_bytes = static_cast<std::uint32_t>(1 + random() % 300);
    request.limits.items = static_cast<std::uint32_t>(1 + random() % 30);
    request.limits.aggregate_bytes = static_cast<std::uint32_t>(1 + random() % 600);
    const std::string letter(1, static_cast<char>('a' + random() % 26));
    if (round % 3 == 0) {
      request.redaction = [letter](std::string_view path, const symbols::Type&) {
        return path.ends_with(letter);
      };
    }
    for (const char* whole : {"*n", "n", "copy", "&copy", "n->in", "*n->next", "local_text"}) {
      if (random() % 3 != 0) continue;
      const auto bound =
          language::bind_expression(whole, subject.scope(), {.allow_unavailable = true});
      if (bound) request.values.push_back(*bound);
    }
    for (int i = 0; i < 6; ++i) {
      const auto bound = language::bind_expression(Sentence(random()).expression(2),
                                                   subject.scope(), {true, true});
      if (bound) request.values.push_back(*bound);
    }
    const auto built = build_capture(request);
    if (!built && is_honest(built.error())) continue;
    ASSERT_TRUE(built) << built.error().reason << ": " << built.error().message;
    const auto verified = program::verify(built->program);
    ASSERT_TRUE(verified);
    EXPECT_LE(verified->stack_bytes, 256U);
    const auto run = subject.run(built->program);
    ASSERT_FALSE(run.execution.violation);
    ASSERT_EQ(values::decode(built->layout, run.body, {}).size(), request.values.size());
    ++built_ones;
  }
  EXPECT_GT(built_ones, 200);
}

}  // namespace
}  // namespace nohalt::capture
