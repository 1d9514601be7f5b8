// Words to program to bytes to values, against a real process compiled without
// and with optimisation. What the process says of itself is the oracle.
#include "probes/capture/capture.h"

#include <gtest/gtest.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "probes/language/binder.h"
#include "probes/program/verifier.h"
#include "probes/records/values/decode.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::capture {
namespace {

using language::bind_condition;
using language::bind_expression;
using language::BindOptions;
using test::StoppedSubject;
using values::Value;

// One process for each way of compiling, stopped once for all tests.
StoppedSubject& subject(bool optimised) {
  static StoppedSubject plain(SUBJECT_O0, SUBJECT_SOURCE, "work");
  static StoppedSubject fast(SUBJECT_O2, SUBJECT_SOURCE, "work");
  return optimised ? fast : plain;
}

class CaptureTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }

  Value captured(const std::string& text, CaptureLimits limits = {}, Redaction hidden = {}) {
    const auto bound = bind_expression(text, stopped_.scope(), {.allow_unavailable = true});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    CaptureRequest request{{*bound}, nullptr, limits, stopped_.bias(), std::move(hidden)};
    const auto built = build_capture(request);
    if (!built) {
      ADD_FAILURE() << text << ": " << built.error().message;
      return {};
    }
    run_ = stopped_.run(built->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    EXPECT_TRUE(run_.committed) << text;
    return values::decode(built->layout, run_.body, {stopped_.pid(), 7})[0].value;
  }
  std::string text(const std::string& expression) { return values::to_text(captured(expression)); }

  program::Outcome decided(const std::string& condition) {
    const auto bound = bind_condition(condition, stopped_.scope(), {.allow_unavailable = true});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    const auto built = build_capture({{}, *bound, {}, stopped_.bias(), {}});
    if (!built) {
      ADD_FAILURE() << condition << ": " << built.error().message;
      return {};
    }
    run_ = stopped_.run(built->program);
    EXPECT_FALSE(run_.execution.violation) << condition;
    return static_cast<program::Outcome>(run_.execution.result);
  }

  // At -O2 some variables are gone; then the value has to say so.
  void expect_text(const std::string& expression, const std::string& wanted) {
    const Value value = captured(expression);
    const bool gone = GetParam() && value.state == ValueState::kOptimizedOut;
    if (!gone) {
      EXPECT_EQ(values::to_text(value), wanted) << expression;
    }
  }

  StoppedSubject& stopped_ = subject(GetParam());
  StoppedSubject::Run run_;
};

INSTANTIATE_TEST_SUITE_P(Compiled, CaptureTest, testing::Bool(),
                         [](const auto& mode) { return mode.param ? "optimised" : "plain"; });

TEST_P(CaptureTest, reads_what_the_program_says_of_itself) {
  const auto& said = stopped_.said();
  expect_text("a", said.at("a"));
  expect_text("b", said.at("b") + "");
  expect_text("x", said.at("x"));
  expect_text("y", said.at("y"));
  expect_text("n->big", said.at("big"));
  expect_text("n->wide", said.at("wide"));
  expect_text("n->mid", said.at("mid"));
  expect_text("n->lo", said.at("lo"));
  EXPECT_EQ(text("(unsigned long)n"), std::to_string(std::stoull(said.at("n"), nullptr, 16)));
}

// An argument on the stack lies above what the frame's locals are counted down from.
TEST_P(CaptureTest, reads_values_on_both_sides_of_their_base_at_once) {
  expect_text("on_stack", "7000");
  expect_text("index + on_stack", "7002");
  expect_text("numbers[1] + on_stack", "7001");
  expect_text("(long)huge + on_stack", "6999");
}

TEST_P(CaptureTest, reads_members_elements_and_text) {
  expect_text("n->id", "41");
  expect_text("n->color", "GREEN");
  expect_text("n->flags", "F_READ | F_EXEC");
  expect_text("n->tag", "\"tagged\"");
  expect_text("n->in.d", "-1.5");
  expect_text("n->in.s", "12");
  expect_text("n->inp->d", "0.1");
  expect_text("n->next->id", "2");
  expect_text("n->matrix[1][2]", "6");
  expect_text("n->u.real", "1");
  expect_text("numbers", "[3, 1, 4, 1, 5, 9]");
  expect_text("numbers[index + 2]", "5");
  expect_text("local_text", "\"local text\"");
  expect_text("yes", "true");
  expect_text("precise", "2.5");
  expect_text("global_counter", "77");
  expect_text("global_node.id", "99");
  expect_text("huge", "18446744073709551615");
  expect_text("((struct node *)untyped)->id", "41");
  EXPECT_EQ(values::to_message_text(captured("n->name")), "alice");
  EXPECT_EQ(values::to_message_text(captured("n->inp->label")), "deep \"label\"");
}

TEST_P(CaptureTest, shows_a_struct_whole_with_what_it_points_to) {
  const std::string shown = text("*n");
  for (const std::string part :
       {"id = 41", "lo = 5", "mid = -9", "wide = 737894400291", "color = GREEN", "tag = \"tagged\"",
        " \"alice\"", "label = 0x", "\"inner label\"", "matrix = [[1, 2, 3], [4, 5, 6]]",
        "\"deep \\\"label\\\"\"", "id = 2", "\"second\"", "number = 1065353216, real = 1"}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part << " in " << shown;
  }
  EXPECT_EQ(values::to_text(captured("n", {.depth = 1})), stopped_.said().at("n"));
  EXPECT_NE(text("n").find("id = 41"), std::string::npos);
}

TEST_P(CaptureTest, cuts_what_is_over_a_limit_and_says_so) {
  const Value name = captured("n->name", {.string_bytes = 3});
  EXPECT_EQ(name.state, ValueState::kTruncated);
  EXPECT_EQ(values::to_message_text(name), "ali...");
  EXPECT_EQ(captured("n->name", {.string_bytes = 5}).state, ValueState::kTruncated);
  EXPECT_EQ(captured("n->name", {.string_bytes = 6}).state, ValueState::kExact);
  const Value matrix = captured("n->matrix", {.items = 1});
  EXPECT_EQ(values::to_text(matrix), "[[1, ...], ...]");
  const Value part = captured("*n", {.depth = 1, .aggregate_bytes = 8});
  EXPECT_EQ(part.state, ValueState::kTruncated);
  EXPECT_EQ(part.members[0].second.bits, 41U);
  EXPECT_FALSE(part.members.back().second.is_there());
}

TEST_P(CaptureTest, says_what_cannot_be_read) {
  const Value null = captured("n->next->next->id");
  EXPECT_EQ(null.state, ValueState::kUnreadable);
  EXPECT_EQ(null.why, "n->next->next is null");
  const Value wild = captured("wild->id");
  if (!GetParam() || wild.state != ValueState::kOptimizedOut) {
    EXPECT_EQ(values::to_text(wild), "<unreadable: the memory at wild cannot be read>");
  }
  EXPECT_EQ(captured("n->next->in.label").bits, 0U);
  const Value outside = captured("n->tag[n->id]");
  EXPECT_EQ(outside.state, ValueState::kUnavailable);
  EXPECT_EQ(outside.why, "the index is outside the array");
}

TEST_P(CaptureTest, computes_with_captured_values_as_c_does) {
  expect_text("n->id / 2 + 0.5", "20.5");
  expect_text("n->id / 2", "20");
  expect_text("-n->id % 10", "-1");
  expect_text("n->in.d * 2 == -3", "true");
  expect_text("n->mid < 0 ? n->id : 0", "41");
  expect_text("n->mid < 0u", "false");
  expect_text("(unsigned char)n->mid", "247");
  expect_text("n->big > 9007199254740992", "true");
  expect_text("n->name == \"alice\" && n->tag != \"other\"", "true");
  expect_text("len(n->name)", "5");
  expect_text("n->id / n->next->in.s", "<unavailable: it divides by zero>");
  expect_text("n->id == 41 || n->next->next->id == 3", "true");
  expect_text("n->id << 40", "<unavailable: it shifts by more than the width>");
  EXPECT_EQ(text("$pid"), std::to_string(stopped_.pid()));
  EXPECT_EQ(text("$func"), "\"work\"");
}

TEST_P(CaptureTest, decides_in_the_program) {
  using program::Outcome;
  for (const std::string yes : {"n->id == 41",
                                "n->mid == -9",
                                "n->mid < 0",
                                "n->lo == 5",
                                "n->color == GREEN",
                                "n->in.d == -1.5",
                                "n->in.d < 0",
                                "n->in.d > -1.6",
                                "n->in.d != 3",
                                "n->inp->d == 0.1",
                                "n->u.real >= 1",
                                "n->u.real < 1.1",
                                "n->u.real != 1.1",
                                "!(n->u.real > 1.0000001)",
                                "n->name == \"alice\"",
                                "n->name != \"alicf\"",
                                "n->tag == \"tagged\"",
                                "n->tag != \"tagge\"",
                                "len(n->name) == 5",
                                "starts_with(n->name, \"al\")",
                                "starts_with(n->name, \"alice\")",
                                "!starts_with(n->name, \"alicex\")",
                                "!starts_with(n->name, \"b\")",
                                "starts_with(n->tag, \"tagged\")",
                                "!starts_with(n->tag, \"tagged and more\")",
                                "contains(n->name, \"a\")",
                                "contains(n->name, \"lic\")",
                                "contains(n->name, \"alice\")",
                                "contains(n->name, \"e\")",
                                "!contains(n->name, \"ec\")",
                                "!contains(n->name, \"alice \")",
                                "contains(n->tag, \"gged\")",
                                "!contains(n->tag, \"gged is longer\")",
                                "contains(n->inp->label, \"p \\\"lab\")",
                                "n->id == 41 && contains(n->inp->label, \"deep\") == 1",
                                "n->next",
                                "!n->next->next",
                                "n->next->next == 0",
                                "n->id / -7 == -5",
                                "-n->id % 7 == -6",
                                "n->id * 3 - 1 == 122",
                                "n->wide >> 4 == 0xabcdef012",
                                "(char)n->id == 41",
                                "n->mid < 0 && n->id > 40",
                                "n->id == 0 || n->id == 41",
                                "(n->mid < 0 ? n->id : 0) == 41",
                                "n->flags & F_EXEC || 1",
                                "n->matrix[n->color - 4][n->lo - 3] == 6",
                                "n->big == 9007199254740993",
                                "n->big > 0x1fffffffffffff",
                                "n->mid > 0u",
                                "n->id == 41 || n->next->next->id == 1",
                                "\"alice\" == n->name",
                                "n->in.s + n->mid == 3",
                                "~n->id == -42"}) {
    EXPECT_EQ(decided(yes), Outcome::kCommitted) << yes;
    EXPECT_TRUE(run_.token_taken) << yes;
    EXPECT_EQ(decided("!(" + yes + ")"), Outcome::kNoMatch) << yes;
    EXPECT_FALSE(run_.token_taken) << yes;
  }
  for (const std::string unknown :
       {"n->next->next->id == 3", "n->next->next->name == \"x\"", "n->id / n->next->in.s == 1",
        "n->id == 41 && n->next->next->id == 1", "n->tag[n->id] == 0",
        "starts_with(n->next->next->name, \"x\")", "contains(n->next->next->name, \"x\")"}) {
    EXPECT_EQ(decided(unknown), Outcome::kConditionUnavailable) << unknown;
    EXPECT_EQ(decided("!(" + unknown + ")"), Outcome::kConditionUnavailable) << unknown;
    EXPECT_FALSE(run_.token_taken) << unknown;
  }
}

TEST_P(CaptureTest, reads_no_more_for_a_condition_than_decides) {
  EXPECT_EQ(decided("n->id == 3 && n->name == \"alice\""), program::Outcome::kNoMatch);
  const std::size_t one = run_.addresses.size();
  EXPECT_EQ(decided("n->id == 3"), program::Outcome::kNoMatch);
  EXPECT_EQ(run_.addresses.size(), one);
  EXPECT_EQ(decided("n->id == 3 && contains(n->name, \"x\")"), program::Outcome::kNoMatch);
  EXPECT_EQ(run_.addresses.size(), one);
  EXPECT_EQ(decided("n->id == 41 || n->next->next->id == 1"), program::Outcome::kCommitted);
  EXPECT_EQ(run_.addresses.size(), one);
}

TEST_P(CaptureTest, tests_a_text_in_a_message_as_in_a_condition) {
  for (const std::string test :
       {"starts_with(n->name, \"al\")", "starts_with(n->name, \"alicex\")",
        "contains(n->name, \"lic\")", "contains(n->name, \"ce!\")", "contains(n->tag, \"agg\")",
        "starts_with(local_text, \"local\")", "contains(local_text, \"texts\")"}) {
    const bool holds = decided(test) == program::Outcome::kCommitted;
    EXPECT_EQ(text(test), holds ? "true" : "false") << test;
  }
  EXPECT_EQ(captured("contains(n->next->next->name, \"x\")").state, ValueState::kUnreadable);
}

TEST_P(CaptureTest, of_a_text_that_is_cut_says_only_what_is_certain) {
  const CaptureLimits limits{.string_bytes = 3};
  EXPECT_EQ(values::to_text(captured("contains(n->name, \"ali\")", limits)), "true");
  EXPECT_EQ(captured("contains(n->name, \"ice\")", limits).state, ValueState::kUnavailable);
  EXPECT_EQ(values::to_text(captured("starts_with(n->name, \"bob\")", limits)), "false");
  EXPECT_EQ(values::to_text(captured("starts_with(n->name, \"bobby\")", limits)), "false");
  EXPECT_EQ(captured("starts_with(n->name, \"alice\")", limits).state, ValueState::kUnavailable);
}

TEST_P(CaptureTest, refuses_floating_point_arithmetic_in_a_condition) {
  const auto bound = bind_condition("n->in.d * 2 > 1", stopped_.scope(), {});
  ASSERT_TRUE(bound);
  const auto built = build_capture({{}, *bound, {}, stopped_.bias(), {}});
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().reason, "not-computed-in-target");
  EXPECT_NE(built.error().message.find("\n  n->in.d * 2 > 1\n  ^"), std::string::npos)
      << built.error().message;
}

bool hides_passwords(std::string_view path, const symbols::Type&) {
  return path.find("password") != path.npos;
}

TEST_P(CaptureTest, never_reads_what_is_redacted) {
  const Value alone = captured("n->password", {}, hides_passwords);
  EXPECT_EQ(values::to_text(alone), "<redacted>");
  EXPECT_TRUE(run_.addresses.empty() || GetParam() == false);
  const std::string whole = values::to_text(captured("*n", {}, hides_passwords));
  EXPECT_NE(whole.find("password = <redacted>"), std::string::npos) << whole;
  EXPECT_NE(whole.find("id = 41"), std::string::npos);
  const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
  EXPECT_EQ(bytes.find("hunter2"), bytes.npos);
  EXPECT_EQ(values::to_text(captured("n->password[0] + 1", {}, hides_passwords)), "<redacted>");
}

TEST_P(CaptureTest, refuses_a_condition_on_what_is_redacted) {
  const auto bound = bind_condition("n->password == \"hunter2\"", stopped_.scope(), {});
  ASSERT_TRUE(bound);
  const auto built = build_capture({{}, *bound, {}, stopped_.bias(), hides_passwords});
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().reason, "condition-on-redacted");
}

TEST_P(CaptureTest, hides_what_shares_a_union_with_a_redacted_member) {
  const auto hides_number = [](std::string_view path, const symbols::Type&) {
    return path.ends_with("number");
  };
  EXPECT_EQ(values::to_text(captured("n->u.real", {}, hides_number)), "<redacted>");
  EXPECT_EQ(values::to_text(captured("n->u", {}, hides_number)), "<redacted>");
}

Redaction only_numbers() {
  Redaction redaction;
  redaction.all_but_numbers = capture::Why{values::ValueState::kRedacted, "no number", "strict"};
  return redaction;
}

TEST_P(CaptureTest, in_strict_mode_reads_numbers) {
  const auto strict = only_numbers();
  EXPECT_EQ(values::to_text(captured("n->id", {}, strict)), "41");
  EXPECT_EQ(values::to_text(captured("n->mid", {}, strict)), "-9");
  EXPECT_EQ(values::to_text(captured("n->color", {}, strict)), "GREEN");
  EXPECT_EQ(values::to_text(captured("n->in.d", {}, strict)), "-1.5");
  EXPECT_EQ(values::to_text(captured("n->inp->s + a * 0", {}, strict)), "-7");
  EXPECT_EQ(values::to_text(captured("yes", {}, strict)), "true");
  if (GetParam()) return;  // the array has no place there
  EXPECT_EQ(values::to_text(captured("numbers", {}, strict)), "[3, 1, 4, 1, 5, 9]");
  EXPECT_EQ(values::to_text(captured("numbers[index]", {}, strict)), "4");
}

TEST_P(CaptureTest, in_strict_mode_never_reads_text_bytes_or_addresses) {
  const auto strict = only_numbers();
  for (const char* expression :
       {"n", "n->name", "*n->name", "n->tag", "n->tag[1]", "n->tag[1] + 1", "len(n->name)", "b",
        "local_text", "text", "&a", "untyped", "*(int*)untyped", "*(int*)n->name", "n->next",
        "nothing == 0", "n->name == \"x\"", "((struct inner*)untyped)->d"})
    EXPECT_EQ(values::to_text(captured(expression, {}, strict)), "[redacted:strict]") << expression;
  const std::string whole = values::to_text(captured("*n", {}, strict));
  EXPECT_NE(whole.find("id = 41"), whole.npos) << whole;
  for (const char* member : {"tag", "name", "inp", "next", "password"})
    EXPECT_NE(whole.find(std::string(member) + " = [redacted:strict]"), whole.npos) << whole;
  const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
  for (const char* text : {"hunter2", "tagged", "alice"})
    EXPECT_EQ(bytes.find(text), bytes.npos) << text;
}

TEST_P(CaptureTest, in_strict_mode_refuses_conditions_on_anything_else) {
  for (const char* condition : {"n->name == \"alice\"", "n->tag[0] == 't'", "len(n->name) > 3",
                                "nothing == 0", "!untyped"}) {
    const auto bound = bind_condition(condition, stopped_.scope(), {});
    ASSERT_TRUE(bound) << condition;
    const auto built = build_capture({{}, *bound, {}, stopped_.bias(), only_numbers()});
    ASSERT_FALSE(built) << condition;
    EXPECT_EQ(built.error().reason, "condition-on-redacted") << condition;
  }
  const auto bound = bind_condition("n->id == 41 && n->in.d < 0", stopped_.scope(), {});
  EXPECT_TRUE(build_capture({{}, *bound, {}, stopped_.bias(), only_numbers()}));
}

TEST_P(CaptureTest, reads_neighbours_behind_one_pointer_at_once) {
  std::vector<language::BoundPtr> bound;
  for (const std::string name : {"n->id", "n->mid", "n->name", "n->tag"}) {
    bound.push_back(*bind_expression(name, stopped_.scope(), {}));
  }
  const auto built = build_capture({bound, nullptr, {}, stopped_.bias(), {}});
  ASSERT_TRUE(built) << built.error().message;
  const auto cost = program::verify(built->program)->cost;
  EXPECT_EQ(cost.user_reads, 2U);  // the struct, and the text of its name
  run_ = stopped_.run(built->program);
  const auto shown = values::decode(built->layout, run_.body, {});
  EXPECT_EQ(shown[0].value.bits, 41U);
  EXPECT_EQ(values::to_text(shown[1].value), "-9");
  EXPECT_EQ(values::to_message_text(shown[2].value), "alice");
  EXPECT_EQ(values::to_message_text(shown[3].value), "tagged");
}

TEST_P(CaptureTest, says_of_a_null_text_that_it_cannot_be_read) {
  const Value name = captured("global_node.name");
  EXPECT_EQ(name.state, ValueState::kUnreadable);
  EXPECT_EQ(name.why, "global_node.name is null");
  EXPECT_EQ(values::to_message_text(name), "<unreadable: global_node.name is null>");
  const Value next = captured("global_node.next");  // is no text: null is its value
  EXPECT_EQ(next.state, ValueState::kExact);
  EXPECT_EQ(values::to_text(next), "0x0");
}

TEST_P(CaptureTest, reads_a_text_that_is_named_whatever_else_fills_the_record) {
  std::vector<language::BoundPtr> bound;
  for (int i = 0; i < 40; ++i) bound.push_back(*bind_expression("n", stopped_.scope(), {}));
  bound.push_back(*bind_expression("n->name", stopped_.scope(), {}));
  const auto built = build_capture({bound, nullptr, {}, stopped_.bias(), {}});
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  const auto shown = values::decode(built->layout, run_.body, {});
  EXPECT_EQ(values::to_message_text(shown.back().value), "alice");
}

TEST_P(CaptureTest, says_of_a_text_for_which_there_is_no_room_that_it_was_not_followed) {
  const CaptureLimits limits{.record_bytes = 300};
  std::vector<language::BoundPtr> bound;
  for (int i = 0; i < 2; ++i) bound.push_back(*bind_expression("n->name", stopped_.scope(), {}));
  const auto built = build_capture({bound, nullptr, limits, stopped_.bias(), {}});
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  const auto shown = values::decode(built->layout, run_.body, {});
  EXPECT_EQ(values::to_message_text(shown[0].value), "alice");
  EXPECT_EQ(shown[1].value.state, ValueState::kUnavailable);
  EXPECT_FALSE(shown[1].value.why.empty());
}

TEST_P(CaptureTest, captures_every_local_at_once) {
  std::vector<language::BoundPtr> bound;
  for (const auto& local : stopped_.scope().locals())
    bound.push_back(language::bind_variable(local));
  ASSERT_GT(bound.size(), 10U);
  const auto built = build_capture({bound, nullptr, {}, stopped_.bias(), {}});
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  EXPECT_TRUE(run_.committed);
  std::size_t there = 0;
  for (const auto& [name, value] : values::decode(built->layout, run_.body, {})) {
    if (value.is_there()) ++there;
  }
  EXPECT_GT(there, GetParam() ? 2U : 14U);
}

TEST_P(CaptureTest, captures_the_registers_and_the_stack_as_they_are) {
  CaptureRequest request{{}, nullptr, {.record_bytes = 32 * 1024}, stopped_.bias(), {}};
  request.stack_bytes = 8192;
  const auto built = build_capture(request);
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  ASSERT_TRUE(run_.committed);
  const auto stack = values::stack_of(built->layout, run_.body);
  ASSERT_TRUE(stack);
  EXPECT_EQ(stack->registers.rsp - kBelowStack, run_.addresses.at(0));
  EXPECT_NE(stack->registers.rip, 0U);
  EXPECT_EQ(stack->registers.orig_rax, 0U);
  std::vector<std::byte> there(stack->bytes.size());
  ASSERT_GT(there.size(), 256U);
  iovec local{there.data(), there.size()};
  // An address in the subject is a number here; the interface wants a pointer.
  iovec remote{reinterpret_cast<void*>(run_.addresses[0]), there.size()};
  ASSERT_EQ(process_vm_readv(stopped_.pid(), &local, 1, &remote, 1, 0),
            static_cast<ssize_t>(there.size()));
  EXPECT_TRUE(std::ranges::equal(stack->bytes, there));
}

TEST_P(CaptureTest, a_stack_longer_than_its_room_is_no_stack) {
  CaptureRequest request{{}, nullptr, {}, stopped_.bias(), {}};
  request.stack_bytes = 256;
  const auto built = build_capture(request);
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  ASSERT_TRUE(values::stack_of(built->layout, run_.body));
  std::memset(run_.body.data() + built->layout.stack->length, 0x7f, 4);
  EXPECT_FALSE(values::stack_of(built->layout, run_.body));
  EXPECT_FALSE(values::stack_of(built->layout, std::span(run_.body).first(8)));
}

// Two pointers to structs, room for three that are followed: the first tree must
// not take them all.
TEST_P(CaptureTest, shares_what_may_be_followed_among_the_values) {
  std::vector<language::BoundPtr> bound;
  for (int i = 0; i < 2; ++i) bound.push_back(*bind_expression("n", stopped_.scope(), {}));
  const auto built = build_capture({bound, nullptr, {.pointers = 3}, stopped_.bias(), {}});
  ASSERT_TRUE(built) << built.error().message;
  run_ = stopped_.run(built->program);
  for (const auto& named : values::decode(built->layout, run_.body, {})) {
    ASSERT_EQ(named.value.target.size(), 1U);
    EXPECT_TRUE(named.value.target[0].is_there());
  }
}

// Whatever is in a body, decoding ends in values and nothing else.
TEST_P(CaptureTest, survives_any_body) {
  std::vector<language::BoundPtr> bound;
  for (const std::string name : {"*n", "n->name", "len(n->name) + n->id", "n->tag == \"x\""}) {
    bound.push_back(*bind_expression(name, stopped_.scope(), {}));
  }
  const auto built = build_capture({bound, nullptr, {}, stopped_.bias(), {}});
  ASSERT_TRUE(built);
  run_ = stopped_.run(built->program);
  std::uint64_t seed = 1;
  const auto next = [&] { return seed = seed * 6364136223846793005ULL + 1442695040888963407ULL; };
  for (int round = 0; round < 3000; ++round) {
    auto body = run_.body;
    for (int change = 0; change < 1 + round % 40; ++change) {
      body[(next() >> 20) % body.size()] = static_cast<std::byte>(next() >> 50);
    }
    for (const auto& named : values::decode(built->layout, body, {})) {
      EXPECT_FALSE(values::to_text(named.value).empty());
      EXPECT_FALSE(values::to_json(named.value).empty());
    }
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, run_.body.size() - 1}) {
    for (const auto& named : values::decode(built->layout, std::span(run_.body).first(size), {})) {
      EXPECT_FALSE(named.value.is_there());
    }
  }
}

}  // namespace
}  // namespace nohalt::capture
