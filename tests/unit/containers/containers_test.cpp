// Containers captured from a real process, against what the process says of them itself:
// both libraries, both compilers, plain and optimised.
#include <gtest/gtest.h>
#include <sys/uio.h>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/program/verifier.h"
#include "tests/unit/capture/stopped_subject.h"
#include "tests/unit/containers/flat_text.h"

namespace nohalt::capture {
namespace {

using test::FlatText;
using test::StoppedSubject;

struct Build {
  const char* name;
  const char* path;
};
constexpr Build kBuilds[] = {{"gcc_plain", CONTAINERS_GCC_O0},
                             {"gcc_optimised", CONTAINERS_GCC_O2},
                             {"clang_plain", CONTAINERS_CLANG_O0},
                             {"libcxx_plain", CONTAINERS_LIBCXX_O0},
                             {"libcxx_optimised", CONTAINERS_LIBCXX_O2}};

class ContainersTest : public testing::TestWithParam<Build> {
 protected:
  ContainersTest() : stopped_(GetParam().path, CONTAINERS_SOURCE, "containers") {}
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }

  std::string captured(const std::string& text, Redaction hidden = {}, CaptureLimits limits = {}) {
    const auto bound =
        language::bind_expression(text, stopped_.scope(), {.allow_unavailable = true});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    built_ = build_capture({{*bound}, nullptr, limits, stopped_.bias(), std::move(hidden)});
    if (!built_) {
      ADD_FAILURE() << text << ": " << built_.error().message;
      return {};
    }
    run_ = stopped_.run(built_->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    EXPECT_TRUE(run_.committed);
    return FlatText(run_.body).of(built_->layout.nodes[0]);
  }
  // Writes into the stopped process: the container at &name, or what leads from there.
  void poke(std::uint64_t at, std::uint64_t value) {
    iovec local{&value, 8};
    iovec remote{reinterpret_cast<void*>(at), 8};
    ASSERT_EQ(process_vm_writev(stopped_.pid(), &local, 1, &remote, 1, 0), 8);
  }
  std::uint64_t peek(std::uint64_t at) {
    std::uint64_t value = 0;
    iovec local{&value, 8};
    iovec remote{reinterpret_cast<void*>(at), 8};
    EXPECT_EQ(process_vm_readv(stopped_.pid(), &local, 1, &remote, 1, 0), 8);
    return value;
  }
  std::uint64_t address_of(const std::string& name) {
    return std::stoull(stopped_.said().at("&" + name));
  }
  [[nodiscard]] bool is_libcxx() const {
    return std::string_view(GetParam().name).starts_with("libcxx");
  }

  StoppedSubject stopped_;
  StoppedSubject::Run run_;
  Result<BuiltCapture> built_ = BuiltCapture{};
};

INSTANTIATE_TEST_SUITE_P(Built, ContainersTest, testing::ValuesIn(kBuilds),
                         [](const auto& build) { return std::string(build.param.name); });

TEST_P(ContainersTest, hold_what_the_process_says) {
  int compared = 0;
  for (const auto& [name, said] : stopped_.said()) {
    if (name.starts_with("&")) continue;
    EXPECT_EQ(captured("bag." + name), said) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 53);
}

TEST_P(ContainersTest, are_found_behind_pointers_and_references) {
  EXPECT_EQ(captured("parameter"), stopped_.said().at("items"));
  EXPECT_EQ(captured("pointer->tree"), stopped_.said().at("tree"));
  const std::string local = captured("local_tree");
  if (local.find("optimized") == local.npos) {
    EXPECT_EQ(local, stopped_.said().at("tree"));
  }
}

TEST_P(ContainersTest, say_only_how_many_where_nothing_is_followed) {
  EXPECT_EQ(captured("bag.ints", {}, {.depth = 1}), "[...]");
  EXPECT_EQ(captured("bag.tree", {}, {.depth = 1}), "[...]");
  EXPECT_EQ(captured("bag.no_tree", {}, {.depth = 1}), "[]");
  EXPECT_EQ(captured("bag.perhaps", {}, {.depth = 1}), "some 9");
  EXPECT_EQ(captured("bag.nested", {}, {.depth = 2}), "[[...], [], [...]]");
}

TEST_P(ContainersTest, never_copy_what_is_hidden_in_an_item) {
  const auto hides = [](std::string_view path, const symbols::Type&) {
    return path.find("password") != path.npos || path.find("pin") != path.npos;
  };
  for (const char* name :
       {"bag.accounts", "bag.accounts_by_name", "bag.perhaps_account", "bag.own_account"}) {
    const std::string text = captured(name, hides);
    EXPECT_NE(text.find("{\"ann\", <hidden by policy>, <hidden by policy>}"), text.npos)
        << name << ": " << text;
    const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
    EXPECT_EQ(bytes.find("hunter2"), bytes.npos) << name;
  }
  const std::string either = captured("bag.account_or_not", hides);
  EXPECT_EQ(either, "#1 {\"ann\", <hidden by policy>, <hidden by policy>}");
}

TEST_P(ContainersTest, are_hidden_with_the_type_of_their_items) {
  const auto hides = [](std::string_view, const symbols::Type& type) {
    return type.name == "Account";
  };
  for (const char* name : {"bag.accounts", "bag.perhaps_account", "bag.own_account"})
    EXPECT_EQ(captured(name, hides), "<hidden by policy>") << name;
  EXPECT_EQ(captured("bag.accounts_by_name", hides), "[{\"a\", <hidden by policy>}]");
  EXPECT_EQ(captured("bag.account_or_not", hides), "#1 <hidden by policy>");
  const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
  EXPECT_EQ(bytes.find("hunter2"), bytes.npos);
}

TEST_P(ContainersTest, end_at_a_circle_of_links) {
  const std::uint64_t list = address_of("chain");
  const std::uint64_t next = is_libcxx() ? 8 : 0;
  const std::uint64_t first = peek(list + next);
  poke(first + next, first);
  EXPECT_EQ(captured("bag.chain"),
            "[\"a\", \"a\", \"a\", <its items and its count do not agree: it is being changed>]");
  const std::uint64_t forward = peek(address_of("forward"));
  poke(forward, forward);
  EXPECT_EQ(captured("bag.forward"),
            "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...]");
}

TEST_P(ContainersTest, end_at_a_link_that_cannot_be_read) {
  const std::uint64_t next = is_libcxx() ? 8 : 0;
  poke(peek(address_of("chain") + next) + next, 0x10);
  EXPECT_EQ(captured("bag.chain"), "[\"a\", <what leads to the next item cannot be read>]");
  const std::uint64_t node = peek(address_of("one_in_tree") + (is_libcxx() ? 0 : 24));
  poke(node + (is_libcxx() ? 8 : 24), 0x10);  // its right
  EXPECT_EQ(captured("bag.one_in_tree"), "[{5, 6}, <what leads to the next item cannot be read>]");
}

TEST_P(ContainersTest, end_where_links_and_count_do_not_agree) {
  const std::string said = " <its items and its count do not agree: it is being changed>]";
  poke(address_of("chain") + 16, 2);
  EXPECT_EQ(captured("bag.chain"), "[\"a\", \"b\"," + said);
  poke(address_of("chain") + 16, 5);
  const std::string longer = captured("bag.chain");
  EXPECT_TRUE(longer.ends_with(said)) << longer;
  const std::uint64_t tree_count = is_libcxx() ? 16 : 40;
  poke(address_of("many_tree") + tree_count, 2);
  EXPECT_EQ(captured("bag.many_tree"), "[{1, 2}, {1, 3}," + said);
  poke(address_of("many_tree") + tree_count, 4);
  EXPECT_EQ(captured("bag.many_tree"), "[{1, 2}, {1, 3}, {2, 4}," + said);
  poke(address_of("hashed") + 24, 2);
  const std::string hashed = captured("bag.hashed");
  EXPECT_TRUE(hashed.ends_with(said)) << hashed;
}

TEST_P(ContainersTest, are_not_taken_for_containers_where_their_parts_do_not_fit) {
  const std::string odd =
      "<its parts do not fit together: it is being changed, or is not constructed yet>";
  const std::uint64_t ints = address_of("ints");
  const std::uint64_t begin = peek(ints);
  poke(ints + 8, begin - 4);
  EXPECT_EQ(captured("bag.ints"), odd);
  poke(ints + 8, begin + 6);
  EXPECT_EQ(captured("bag.ints"), odd);
  poke(ints + 8, begin + 400);
  EXPECT_EQ(captured("bag.ints"), odd);
  poke(ints, 0x10);
  poke(ints + 8, 0x18);
  EXPECT_EQ(captured("bag.ints"), "[<the memory of bag.ints cannot be read>]");
  poke(address_of("tree") + (is_libcxx() ? 16 : 40), ~std::uint64_t{0});
  EXPECT_EQ(captured("bag.tree"), odd);
}

TEST_P(ContainersTest, are_all_captured_together_within_the_limits) {
  const std::vector<std::string> names = {"ints",   "texts",        "items",     "ends",
                                          "chain",  "tree",         "names",     "hashed",
                                          "shared", "perhaps_text", "second_of", "large_tree"};
  CaptureRequest request{{}, nullptr, {.pointers = 240}, stopped_.bias(), {}};
  request.limits.record_bytes = 16 * 1024;
  for (const std::string& name : names)
    request.values.push_back(*language::bind_expression("bag." + name, stopped_.scope(), {}));
  const auto built = build_capture(request);
  ASSERT_TRUE(built) << built.error().message;
  const auto verified = program::verify(built->program);
  ASSERT_TRUE(verified);
  const auto run = stopped_.run(built->program);
  EXPECT_LE(run.execution.cost.user_reads, verified->cost.user_reads);
  std::string shown;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string text = FlatText(run.body).of(built->layout.nodes[i]);
    const std::string& all = stopped_.said().at(names[i]);
    const std::string kept = text.ends_with(", ...]") ? text.substr(0, text.size() - 6) : text;
    EXPECT_TRUE(text == all || all.starts_with(kept)) << names[i] << ": " << text;
    EXPECT_NE(text, "[...]") << names[i];
    shown += names[i] + (text == all ? " " : "+ ");
  }
  std::printf("%s: %zu instructions, %u bytes, at most %u reads, here %zu; shown: %s\n",
              GetParam().name, built->program.code.size(), built->layout.record_size,
              verified->cost.user_reads, run.addresses.size(), shown.c_str());
}

TEST_P(ContainersTest, leave_room_for_each_other_in_a_struct_of_many) {
  const std::string all = captured("bag", {}, {.pointers = 240, .record_bytes = 32 * 1024});
  EXPECT_TRUE(all.starts_with("{[1, -2, 3], []")) << all;
  EXPECT_LE(built_->program.code.size(), program::kMaxInstructions);
}

}  // namespace
}  // namespace nohalt::capture
