// What stands in the way of probing a process, and the list over live ones.
#include "src/session/process_list.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace nohalt::session {
namespace {

target::ProcessFacts plain() {
  target::ProcessFacts facts;
  facts.state = 'S';
  facts.elf_class = 2;
  facts.seccomp = {{42, 0}};
  return facts;
}

TEST(ObstacleIn, NamesEachState) {
  EXPECT_FALSE(obstacle_in(plain(), 42));
  struct Case {
    void (*change)(target::ProcessFacts&);
    const char* reason;
  };
  for (const Case& c : {
           Case{[](target::ProcessFacts& f) { f.kernel_thread = true; }, "kernel-thread"},
           {[](target::ProcessFacts& f) { f.state = 'Z'; }, "target-gone"},
           {[](target::ProcessFacts& f) { f.tracer = 7; }, "traced"},
           {[](target::ProcessFacts& f) { f.state = 'T'; }, "stopped"},
           {[](target::ProcessFacts& f) { f.elf_class = 1; }, "not-64-bit"},
           {[](target::ProcessFacts& f) { f.seccomp.push_back({43, 2}); }, "seccomp-filter"},
       }) {
    target::ProcessFacts facts = plain();
    c.change(facts);
    const auto obstacle = obstacle_in(facts, 42);
    ASSERT_TRUE(obstacle) << c.reason;
    EXPECT_EQ(obstacle->reason, c.reason);
    EXPECT_NE(obstacle->message.find("42"), std::string::npos);
  }
}

class Listed : public testing::Test {
 protected:
  Listed() : child_(::fork()) {
    if (child_ == 0) {
      ::alarm(60);
      ::pause();
      ::_exit(0);
    }
  }
  ~Listed() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  static policy::Authority authority() {
    policy::PolicySources sources;
    sources.system = "/nonexistent/policy.yaml";
    return policy::Authority::load(sources).value();
  }

  pid_t child_;
};

TEST_F(Listed, AProcessOfOursWithDebugInformationCanBeProbed) {
  const auto rows = list_processes(authority(), policy::Caller::current(), {child_, {}});
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().refusal, "") << rows->front().refusal_text;
  EXPECT_TRUE(rows->front().has_debug_info);
  EXPECT_FALSE(rows->front().build_id.empty());
  EXPECT_NE(rows->front().exe.find("test_inspection"), std::string::npos);
}

TEST_F(Listed, AProcessOfAnotherIsShownWithTheRuleThatDenies) {
  policy::Caller stranger;
  stranger.uid = stranger.effective_uid = ::getuid() + 1;
  const auto rows = list_processes(authority(), stranger, {child_, {}});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().refusal, "not-your-process");
}

TEST_F(Listed, APidThatIsNotThereIsAnError) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  const auto rows = list_processes(authority(), policy::Caller::current(), {gone, {}});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().reason, "no-such-process");
}

}  // namespace
}  // namespace nohalt::session
