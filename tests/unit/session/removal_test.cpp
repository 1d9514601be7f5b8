// Whom `rm` ends: a run's own tool and nobody else, whatever a process claims of
// the probes that it pretends to carry; and what the audit trail says of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "probes/runtime/layout.h"
#include "src/base/file.h"
#include "src/session/armed_processes.h"
#include "src/session/session.h"
#include "tests/unit/target/child.h"

namespace nohalt::session {
namespace {

constexpr std::uint64_t kGeneration = 0xabcdef;
const std::string kId = "0000000000abcdef";

int sleeper(test::Shared& shared) {
  shared.ready = 1;
  while (true) ::pause();
}

ProcessIdentity identity_of(pid_t pid) { return target::Process::open(pid)->identity(); }

void* map_shared(int memfd) {
  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
}

// As a tool does: the lock goes with the descriptor of its own.
int hold(test::Shared& shared, int memfd) {
  const std::string path = "/proc/self/fd/" + std::to_string(memfd);
  const int own = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (map_shared(own) == MAP_FAILED || ::flock(own, LOCK_EX | LOCK_NB) != 0) return 1;
  return sleeper(shared);
}

// A process that looks like one with a run of `tool` in it.
int carry(test::Shared& shared, int memfd, ProcessIdentity tool) {
  auto* control = static_cast<runtime::ControlPage*>(map_shared(memfd));
  *control = {};
  control->magic = runtime::kControlMagic;
  control->generation = kGeneration;
  control->tool_pid = tool.pid;
  control->tool_start_time = tool.start_time;
  control->target_pid = ::getpid();
  control->target_start_time = identity_of(::getpid()).start_time;
  control->lease_deadline_tsc = ~0ULL;
  const int code = ::memfd_create(runtime::kCodeName, MFD_CLOEXEC);
  if (::ftruncate(code, 4096) != 0) return 1;
  if (::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, code, 0) == MAP_FAILED) return 1;
  return sleeper(shared);
}

int new_control() {
  const int memfd = ::memfd_create(runtime::kControlName, MFD_CLOEXEC);
  return memfd >= 0 && ::ftruncate(memfd, 4096) == 0 ? memfd : -1;
}

class Removal : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GE(::close(::mkstemp(audit_.data())), 0);
    // Behind sudo the trail would be opened as who logged in; it is root's.
    std::ofstream("/proc/self/loginuid") << "4294967295";
  }
  void TearDown() override { ::unlink(audit_.c_str()); }

  int remove(const std::string& id) {
    RmCommand command;
    command.common.audit_file = audit_;
    command.id = id;
    return run_rm(command);
  }
  [[nodiscard]] std::string audit() const { return read_file(audit_).value_or(""); }

  int memfd_ = new_control();

 private:
  std::string audit_ = testing::TempDir() + "removal-audit-XXXXXX";
};

bool ends_soon(pid_t pid, int milliseconds) {
  const auto process = target::Process::open(pid);
  if (!process) return true;
  pollfd watched{process->pidfd(), POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) == 1;
}

TEST_F(Removal, AForgedControlPageMakesNobodySignalAStranger) {
  test::Child victim(sleeper);
  victim.wait_ready();
  const auto claimed = identity_of(victim.pid());
  test::Child forger([&](test::Shared& shared) { return carry(shared, memfd_, claimed); });
  forger.wait_ready();

  const auto found = find_armed(forger.pid());
  ASSERT_TRUE(found && found->size() == 1);
  EXPECT_EQ(found->front().row.state, "unproven");
  EXPECT_EQ(open_tool(found->front().run, forger.pid()).error().reason, "tool-not-proven");
  EXPECT_EQ(remove(kId), exit_status(ErrorCode::kRefused));
  EXPECT_FALSE(ends_soon(victim.pid(), 200));
  EXPECT_NE(audit().find("\"tool-not-proven\""), std::string::npos) << audit();
}

TEST_F(Removal, ARunsOwnToolIsAskedToEndAndTheTrailSaysSoFirst) {
  test::Child tool([&](test::Shared& shared) { return hold(shared, memfd_); });
  tool.wait_ready();
  const auto claimed = identity_of(tool.pid());
  test::Child carrier([&](test::Shared& shared) { return carry(shared, memfd_, claimed); });
  carrier.wait_ready();

  EXPECT_EQ(find_armed(carrier.pid())->front().row.state, "running");
  EXPECT_EQ(remove(kId), 0);
  EXPECT_EQ(tool.join(), -SIGTERM);
  EXPECT_NE(audit().find("\"removal-requested\""), std::string::npos) << audit();
  EXPECT_NE(audit().find(kId), std::string::npos) << audit();
}

// The state that is shown of a run which claims this process as its tool.
std::string state_with(int memfd, pid_t tool) {
  const auto claimed = identity_of(tool);
  test::Child carrier([&](test::Shared& shared) { return carry(shared, memfd, claimed); });
  carrier.wait_ready();
  return find_armed(carrier.pid())->front().row.state;
}

TEST_F(Removal, AProcessThatOnlyMapsTheRegionIsNotItsTool) {
  test::Child mapper(
      [&](test::Shared& shared) { return map_shared(memfd_) == MAP_FAILED ? 1 : sleeper(shared); });
  mapper.wait_ready();
  EXPECT_EQ(state_with(memfd_, mapper.pid()), "unproven");
}

TEST_F(Removal, AProcessOfAnotherNameIsNotTheToolWhateverItHolds) {
  test::Child holder([&](test::Shared& shared) {
    ::prctl(PR_SET_NAME, "another");
    return hold(shared, memfd_);
  });
  holder.wait_ready();
  EXPECT_EQ(state_with(memfd_, holder.pid()), "unproven");
}

TEST_F(Removal, AToolThatIsClosedToItsOwnUserIsKnownToThem) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  constexpr uid_t kNobody = 65534;
  test::Child user([&](test::Shared& shared) {
    if (::fchmod(memfd_, 0666) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) return 1;
    ::prctl(PR_SET_DUMPABLE, 1);
    test::Child tool([&](test::Shared& own) {
      ::prctl(PR_SET_DUMPABLE, 0);
      return hold(own, memfd_);
    });
    tool.wait_ready();
    const std::string maps = "/proc/" + std::to_string(tool.pid()) + "/maps";
    if (read_file(maps)) return 2;
    if (state_with(memfd_, tool.pid()) != "running") return 3;
    shared.ready = 1;
    return 0;
  });
  EXPECT_EQ(user.join(), 0);
}

TEST_F(Removal, WithoutARecordNobodyIsSignalled) {
  test::Child tool([&](test::Shared& shared) { return hold(shared, memfd_); });
  tool.wait_ready();
  const auto claimed = identity_of(tool.pid());
  test::Child carrier([&](test::Shared& shared) { return carry(shared, memfd_, claimed); });
  carrier.wait_ready();

  RmCommand command;
  command.common.audit_file = "/dev/null";
  command.id = kId;
  EXPECT_EQ(run_rm(command), exit_status(ErrorCode::kDenied));
  EXPECT_FALSE(ends_soon(tool.pid(), 200));
}

TEST_F(Removal, AnIdThatTwoProcessesClaimIsRefused) {
  test::Child tool([&](test::Shared& shared) { return hold(shared, memfd_); });
  tool.wait_ready();
  const auto claimed = identity_of(tool.pid());
  test::Child carrier([&](test::Shared& shared) { return carry(shared, memfd_, claimed); });
  test::Child forger([&](test::Shared& shared) { return carry(shared, new_control(), claimed); });
  carrier.wait_ready();
  forger.wait_ready();

  EXPECT_EQ(remove(kId), exit_status(ErrorCode::kRefused));
  EXPECT_FALSE(ends_soon(tool.pid(), 200));
}

}  // namespace
}  // namespace nohalt::session
