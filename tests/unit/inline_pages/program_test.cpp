// Pages that may not be swapped in programs of an unusual make.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>

#include "probes/engines/inline/pages/file_page.h"
#include "probes/target/target_lock.h"
#include "tests/unit/target/child.h"

namespace nohalt::inline_pages {
namespace {

using test::Child;
using test::Shared;

std::string refusal(pid_t pid, RuntimeAddress page) {
  const auto process = target::Process::open(pid);
  const auto lock = target::TargetLock::acquire(*process);
  EXPECT_TRUE(lock);
  const auto proven = prove_file_page(*process, lock->memory(), page);
  return proven ? "" : proven.error().reason;
}

TEST(ProgramPage, TheOneWithTheHeaderOfItsFileIsRefused) {
  constexpr RuntimeAddress kFixed{0x400000};  // where the linker puts such programs
  Child child([](Shared& shared) {
    shared.ready = 1;
    ::execl(TARGET_BARE, TARGET_BARE, nullptr);
    return 1;
  });
  child.wait_ready();
  while (child.alive() && !target::read_maps(child.pid())->find(kFixed)) ::usleep(1000);
  EXPECT_EQ(refusal(child.pid(), kFixed), "holds-file-header");
}

// Huge pages of code need a file system that has them, such as this one.
class InMemory : public testing::Test {
 protected:
  InMemory() {
    std::error_code error;
    std::filesystem::copy_file(TARGET_HUGE, path_, error);
  }
  ~InMemory() override { ::unlink(path_.c_str()); }

  const std::string path_ = "/dev/shm/nohalt-huge-" + std::to_string(::getpid());
};

TEST_F(InMemory, CodeInAHugePageIsRefused) {
  std::array<int, 2> output{};
  ASSERT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
  Child child([&](Shared& shared) {
    ::dup2(output[1], STDOUT_FILENO);
    shared.ready = 1;
    ::execl(path_.c_str(), "huge", nullptr);
    return 1;
  });
  ::close(output[1]);
  FILE* said = ::fdopen(output[0], "r");
  std::array<char, 8> how{};
  unsigned long at = 0;
  const int fields = std::fscanf(said, "%7s %lx", how.data(), &at);
  std::fclose(said);
  if (fields != 2) GTEST_SKIP() << "nothing can be run from /dev/shm";
  if (std::string_view(how.data()) != "huge") GTEST_SKIP() << "this kernel makes no huge page here";
  EXPECT_EQ(refusal(child.pid(), {at}), "huge-page");
}

}  // namespace
}  // namespace nohalt::inline_pages
