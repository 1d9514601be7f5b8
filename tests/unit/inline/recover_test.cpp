// Taking off what a run left, here a control page and a gate page that was not
// marked yet; and going on when the session for it is lost half-way.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <thread>

#include "probes/engines/inline/found_runs.h"
#include "probes/records/tsc_clock.h"
#include "probes/runtime/layout.h"
#include "probes/target/threads.h"
#include "src/base/file.h"
#include "src/base/unique_fd.h"
#include "tests/unit/target/child.h"

namespace nohalt::engines {
namespace {

constexpr const char* kRun = "0000000000000007";

runtime::ControlPage* map_control() {
  const UniqueFd file(::memfd_create(runtime::kControlName, MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(kPageSize)), 0);
  return static_cast<runtime::ControlPage*>(
      ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
}

void* map_unmarked_gate() {
  return ::mmap(nullptr, kPageSize, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int sleep_for_ever(test::Shared& shared) {
  shared.ready = 1;
  for (;;) ::pause();
}

// A child that has inherited both pages, of a run whose tool, the test, lives.
class Left {
 public:
  Left() : child_(sleep_for_ever), process_(open(child_)) {
    control_->magic = runtime::kControlMagic;
    control_->generation = 7;
    control_->tool_pid = ::getpid();
    control_->tool_start_time = target::Process::open(::getpid())->identity().start_time;
    control_->target_pid = process_.facts().namespace_pid;
    control_->target_start_time = process_.identity().start_time;
    control_->gate_address = at(gate_).value;
    control_->lease_deadline_tsc = ~0ULL;
  }
  Left(const Left&) = delete;
  Left& operator=(const Left&) = delete;
  ~Left() {
    ::munmap(control_, kPageSize);
    ::munmap(gate_, kPageSize);
  }

  [[nodiscard]] const target::Process& process() const { return process_; }
  [[nodiscard]] bool is_being_removed() const { return control_->removed != 0; }
  [[nodiscard]] bool has(const void* page) const {
    return target::read_maps(child_.pid())->find(at(page)) != nullptr;
  }
  [[nodiscard]] bool has_all() const { return has(control_) && has(gate_); }
  [[nodiscard]] bool has_none() const { return !has(control_) && !has(gate_); }

 private:
  static RuntimeAddress at(const void* page) { return {reinterpret_cast<std::uint64_t>(page)}; }
  static target::Process open(const test::Child& child) {
    child.wait_ready(true);
    return std::move(*target::Process::open(child.pid()));
  }

  // The child inherits what comes before it.
  runtime::ControlPage* control_ = map_control();
  void* gate_ = map_unmarked_gate();
  test::Child child_;
  target::Process process_;
};

pid_t tracer_of(pid_t pid) {
  const auto tids = target::list_threads(pid);
  if (!tids || tids->size() < 2) return 0;
  const std::string task = "/proc/" + std::to_string(pid) + "/task/";
  const auto status = read_file(task + std::to_string(tids->back()) + "/status");
  pid_t tracer = 0;
  if (!status) return 0;
  const auto text = target::status_field(*status, "TracerPid");
  (void)std::from_chars(text.data(), text.data() + text.size(), tracer);
  return tracer;
}

// Ends the first session that has begun to remove; whether there was one in time.
bool recover_and_lose_a_session(const Left& left, Result<RecoverReport>& report) {
  std::atomic<bool> over = false;
  bool lost = false;
  std::thread killer([&] {
    while (!over && !left.is_being_removed()) continue;
    const pid_t tracer = tracer_of(left.process().pid());
    lost = tracer > 0 && ::kill(tracer, SIGKILL) == 0;
  });
  report = recover_with(left.process(), kRun);
  over = true;
  killer.join();
  return lost;
}

TEST(Recover, ARunThatLivesStays) {
  const Left left;
  const auto report = recover(left.process());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->runs.empty());
  EXPECT_TRUE(left.has_all());
}

TEST(Recover, ARunThatItsOwnToolGivesUpGoes) {
  const Left left;
  const auto report = recover_with(left.process(), kRun);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->runs.size(), 1U);
  EXPECT_TRUE(left.has_none());
}

TEST(Recover, GoesOnAfterALostSession) {
  constexpr int kTries = 50;  // a session may be over before it can be ended
  for (int tries = 0; tries < kTries; ++tries) {
    const Left left;
    Result<RecoverReport> report = RecoverReport{};
    const bool lost = recover_and_lose_a_session(left, report);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->runs.size(), 1U);
    EXPECT_TRUE(report->proof.mappings_as_before);
    EXPECT_TRUE(left.has_none());
    if (lost) return;
  }
  FAIL() << "no session was lost";
}

}  // namespace
}  // namespace nohalt::engines
