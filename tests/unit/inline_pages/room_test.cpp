// Every limit that leaves no room for what nohalt would map, on processes that have it.
#include "probes/engines/inline/pages/room.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "probes/engines/inline/pages/memory_groups.h"
#include "src/base/file.h"
#include "tests/unit/inline_pages/session.h"

namespace nohalt::inline_pages {
namespace {

using test::Shared;

constexpr std::uint64_t kMegabyte = 1UL << 20;

int wait(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) ::usleep(1000);
  return 0;
}

TEST(Room, ATightAddressSpaceIsRefused) {
  Session session([](Shared& shared) {
    const rlimit tight{64 * kMegabyte, 64 * kMegabyte};
    ::setrlimit(RLIMIT_AS, &tight);
    return wait(shared);
  });
  EXPECT_TRUE(check_room(*session.process, session.before, {4, kMegabyte}));
  EXPECT_EQ(check_room(*session.process, session.before, {4, 64 * kMegabyte}).error().reason,
            "address-space-limit");
}

// Without the capability that lifts the limit.
int wait_with_locked_memory(Shared& shared) {
  constexpr uid_t kNobody = 65534;
  if (::getuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) return 1;
  const rlimit tight{kMegabyte / 16, kMegabyte / 16};
  ::setrlimit(RLIMIT_MEMLOCK, &tight);
  static char locked[kPageSize];
  shared.other = ::mlock(locked, sizeof locked) == 0 ? 0 : 1;
  return wait(shared);
}

TEST(Room, ATargetThatLocksItsMemoryMustHaveRoomToLockMore) {
  Session session(wait_with_locked_memory);
  ASSERT_EQ(session.child.shared().other, 0U);
  EXPECT_TRUE(check_room(*session.process, session.before, {4, kPageSize}));
  EXPECT_EQ(check_room(*session.process, session.before, {4, kMegabyte}).error().reason,
            "locked-memory-limit");
}

TEST(Room, TooManyMappingsAreRefused) {
  Session session(wait);
  EXPECT_EQ(check_room(*session.process, session.before, {1UL << 40, 0}).error().reason,
            "mapping-limit");
}

TEST(Room, ReadsSoftLimits) {
  constexpr std::string_view kLimits =
      "Max locked memory         65536                8388608              bytes     \n"
      "Max address space         unlimited            unlimited            bytes     \n";
  EXPECT_EQ(soft_limit(kLimits, "Max locked memory"), 65536U);
  EXPECT_EQ(soft_limit(kLimits, "Max address space"), std::nullopt);
  EXPECT_EQ(soft_limit(kLimits, "Max nothing"), std::nullopt);
}

// A folder that looks like the cgroup file systems.
class Groups : public testing::Test {
 protected:
  Groups() { std::filesystem::create_directories(root_); }
  ~Groups() override { std::filesystem::remove_all(root_); }

  void set(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  [[nodiscard]] std::string refusal(std::string_view membership) const {
    const auto checked = check_memory_groups(root_, membership, kMegabyte);
    return checked ? "" : checked.error().reason;
  }

 private:
  const std::string root_ = testing::TempDir() + "groups-" + std::to_string(::getpid());
};

TEST_F(Groups, OnesOwnDecides) {
  set("/a/b/memory.max", "4194304");
  set("/a/b/memory.current", "3145728");
  EXPECT_EQ(refusal("0::/a/b\n"), "");
  set("/a/b/memory.current", "3145729");
  EXPECT_EQ(refusal("0::/a/b\n"), "memory-cgroup-full");
}

TEST_F(Groups, OneFurtherUpDecidesAsWell) {
  set("/a/b/memory.max", "max");
  set("/a/b/memory.current", "4096");
  set("/a/memory.max", "2097152");
  set("/a/memory.current", "2000000");
  EXPECT_EQ(refusal("0::/a/b/c\n"), "memory-cgroup-full");
  EXPECT_EQ(refusal("0::/other\n"), "");
}

TEST_F(Groups, TheTopOfAContainersOwnHierarchyDecidesAsWell) {
  set("/memory.max", "2097152");
  set("/memory.current", "2000000");
  EXPECT_EQ(refusal("0::/\n"), "memory-cgroup-full");
  EXPECT_EQ(refusal("0::/a\n"), "memory-cgroup-full");
}

TEST_F(Groups, CacheThatTheKernelGivesBackIsRoom) {
  set("/a/memory.max", "2097152");
  set("/a/memory.current", "2000000");
  set("/a/memory.stat", "anon 900000\ninactive_file_x 0\ninactive_file 1000000");
  EXPECT_EQ(refusal("0::/a\n"), "");
}

TEST_F(Groups, AUseAboveTheLimitLeavesNoRoom) {
  set("/a/memory.max", "4096");
  set("/a/memory.current", "2000000");
  EXPECT_EQ(refusal("0::/a\n"), "memory-cgroup-full");
}

TEST_F(Groups, TheOlderVersionsFilesAreReadToo) {
  set("/memory/a/memory.limit_in_bytes", "2097152");
  set("/memory/a/memory.usage_in_bytes", "2000000");
  EXPECT_EQ(refusal("5:cpu:/\n4:memory:/a/b\n0::/\n"), "memory-cgroup-full");
  set("/memory/a/memory.stat", "total_inactive_file 1000000");
  EXPECT_EQ(refusal("5:cpu:/\n4:memory:/a/b\n0::/\n"), "");
}

// A real group, with a process in it, and gone with the object.
class MemoryGroup {
 public:
  MemoryGroup(pid_t pid, std::uint64_t limit) {
    for (const auto& [mount, file] : {std::pair{"/sys/fs/cgroup/memory", "/memory.limit_in_bytes"},
                                      std::pair{"/sys/fs/cgroup", "/memory.max"}}) {
      folder_ = mount + std::string("/nohalt-test-") + std::to_string(::getpid());
      if (::mkdir(folder_.c_str(), 0755) != 0) continue;
      made_ = put(folder_ + file, limit) && put(folder_ + "/cgroup.procs", pid);
      if (made_) return;
      ::rmdir(folder_.c_str());
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() {
    // Busy for a moment after its last process was reaped.
    for (int i = 0; made_ && i < 1000 && ::rmdir(folder_.c_str()) != 0; ++i) ::usleep(1000);
  }
  [[nodiscard]] bool made() const { return made_; }

 private:
  template <typename Number>
  static bool put(const std::string& path, Number number) {
    std::ofstream file(path);
    file << number << std::flush;
    return file.good();
  }
  std::string folder_;
  bool made_ = false;
};

TEST(Room, AFullMemoryGroupIsRefused) {
  std::optional<MemoryGroup> group;  // outlives the child
  Session session(wait);
  group.emplace(session.child.pid(), 64 * kMegabyte);
  if (!group->made()) GTEST_SKIP() << "no memory cgroup can be made here";
  EXPECT_TRUE(check_room(*session.process, session.before, {4, kMegabyte}));
  EXPECT_EQ(check_room(*session.process, session.before, {4, 65 * kMegabyte}).error().reason,
            "memory-cgroup-full");
}

}  // namespace
}  // namespace nohalt::inline_pages
