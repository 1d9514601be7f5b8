// What settings mean; and that the checks themselves leave nothing behind.
#include "src/session/machine_checks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/base/file.h"

namespace nohalt::session {
namespace {

using output::CheckResult;

TEST(JudgeYama, DependsOnTheScopeAndTheCapability) {
  EXPECT_EQ(judge_yama(-1, false).result, CheckResult::kOk);
  EXPECT_EQ(judge_yama(0, false).result, CheckResult::kOk);
  EXPECT_EQ(judge_yama(1, false).result, CheckResult::kFail);
  EXPECT_EQ(judge_yama(2, true).result, CheckResult::kOk);
  EXPECT_EQ(judge_yama(3, true).result, CheckResult::kFail);
}

TEST(MachineChecks, EveryFailureSaysWhatToDo) {
  std::vector<output::Check> checks = check_access({});
  for (auto& check : check_kernel()) checks.push_back(check);
  for (auto& check : check_processor()) checks.push_back(check);
  checks.push_back(check_kernel_engine());
  for (const output::Check& check : checks) {
    EXPECT_FALSE(check.found.empty()) << check.name;
    EXPECT_EQ(check.result == CheckResult::kOk, check.advice.empty()) << check.name;
  }
}

TEST(MachineChecks, LeaveNoMappingBehind) {
  const auto count = [] {
    const std::string maps = read_file("/proc/self/maps").value();
    return std::count(maps.begin(), maps.end(), '\n');
  };
  static_cast<void>(check_kernel());
  const auto before = count();
  for (int i = 0; i < 20; ++i) static_cast<void>(check_kernel());
  EXPECT_LE(count(), before + 2);  // the heap may have grown
}

}  // namespace
}  // namespace nohalt::session
