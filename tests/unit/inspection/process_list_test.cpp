// The list over live processes: who can be probed, and the reason why not.
#include "src/session/process_list.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace nohalt::session {
namespace {

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

TEST_F(Listed, AStoppedProcessSaysSo) {
  ASSERT_EQ(::kill(child_, SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, WUNTRACED), child_);
  const auto rows = list_processes(authority(), policy::Caller::current(), {child_, {}});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().refusal, "stopped");
  EXPECT_NE(rows->front().refusal_text.find(std::to_string(child_)), std::string::npos);
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
