// Where a thread's own variables are, asked at a hit: of any thread, whatever its FS base is.
#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::RuntimeEntry;
using ThreadPointer = std::uint64_t (*)(HitContext*);
using Read = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t);

// By the instruction itself: a C library's function may look for errno at FS.
__attribute__((always_inline)) inline void set_fs_base(std::uint64_t base) {
  long result = SYS_arch_prctl;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(long{ARCH_SET_FS}), "S"(base)
               : "rcx", "r11", "memory");
}

struct Seen {
  std::uint64_t base = 0;
  std::int64_t read = 0;
  std::uint64_t bytes = ~std::uint64_t{0};
};

// In between nothing of the thread's own may be used.
__attribute__((noinline, no_stack_protector)) void see_with_base(std::uint64_t base,
                                                                 std::uint64_t own,
                                                                 ThreadPointer pointer, Read read,
                                                                 HitContext* hit, Seen* seen) {
  set_fs_base(base);
  seen->base = pointer(hit);
  seen->read = read(hit, &seen->bytes, sizeof seen->bytes, seen->base - 16);
  set_fs_base(own);
}

class ThreadPointerEntry : public ::testing::Test {
 protected:
  void SetUp() override {
    if ((::getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) == 0)
      GTEST_SKIP() << "this machine does not allow rdfsbase";
    hit_.site = &site_;
    hit_.regs.rsp = reinterpret_cast<std::uint64_t>(&hit_);
  }
  static std::uint64_t own() {
    std::uint64_t base = 0;
    ::syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
    return base;
  }
  [[nodiscard]] ThreadPointer pointer() const {
    return run_.function<ThreadPointer>(RuntimeEntry::kThreadPointer);
  }
  Seen see(std::uint64_t base) {
    Seen seen;
    see_with_base(base, own(), pointer(), run_.function<Read>(RuntimeEntry::kReadUser), &hit_,
                  &seen);
    return seen;
  }

  testing::InProcessRun run_{{{.body_size = 64, .hits_per_second = 10}}};
  runtime::SiteConstants site_ = run_.constants(0);
  HitContext hit_{};
};

TEST_F(ThreadPointerEntry, IsThatOfTheThreadThatAsks) {
  const std::uint64_t mine = pointer()(&hit_);
  EXPECT_EQ(mine, own());
  std::uint64_t others = 0;
  bool is_right = false;
  std::thread([&] {
    others = pointer()(&hit_);
    is_right = others == own();
  }).join();
  EXPECT_TRUE(is_right);
  EXPECT_NE(others, mine);
}

TEST_F(ThreadPointerEntry, LeadsNowhereWithoutAFaultWhereAThreadHasNoneOrAWrongOne) {
  for (const std::uint64_t base : {std::uint64_t{0}, std::uint64_t{0x1230},
                                   std::uint64_t{0x7fffffffe000}, std::uint64_t{0x10}}) {
    const Seen seen = see(base);
    EXPECT_EQ(seen.base, base);
    EXPECT_LT(seen.read, 0) << base;
    EXPECT_EQ(seen.bytes, 0U);
  }
}

}  // namespace
}  // namespace nohalt
