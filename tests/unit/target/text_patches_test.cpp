// Code that is written in place while all threads stand: all of it where it is what is
// meant, and nothing at all where something else may be there by now.
#include "probes/target/text_patches.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <optional>

#include "probes/target/remote_thread.h"
#include "tests/unit/target/child.h"

// On a page of its own; its immediates are one byte behind its own and behind
// written_third.
asm(R"(
  .pushsection .text.written, "ax", @progbits
  .p2align 12
  .globl written_first
  .type written_first, @function
written_first:
  mov $1, %eax
  ret
  .globl written_third
written_third:
  mov $3, %eax
  ret
  .p2align 12
  .popsection
)");
extern "C" int written_first();
extern "C" int written_third();

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

RuntimeAddress address_of(int (*function)()) { return {reinterpret_cast<std::uint64_t>(function)}; }

struct Session {
  explicit Session(const std::function<int(Shared&)>& body) : child(body) {
    child.wait_ready();
    process.emplace(std::move(*Process::open(child.pid())));
    lock.emplace(std::move(*TargetLock::acquire(*process)));
    auto borrowed = RemoteThread::borrow(*process, *lock);
    EXPECT_TRUE(borrowed) << borrowed.error().message;
    thread.emplace(std::move(*borrowed));
  }
  // One byte behind `function`, as it is mapped now.
  [[nodiscard]] TextPatch patch(int (*function)(), int before, int after) const {
    const RuntimeAddress at = address_of(function) + 1;
    const Maps maps = *read_maps(child.pid());
    const Mapping& mapping = *maps.find(at);
    TextPatch patch{at, mapping.file, mapping.offset + (at - mapping.range.begin), 1, {}, {}};
    patch.before[0] = static_cast<std::byte>(before);
    patch.after[0] = static_cast<std::byte>(after);
    return patch;
  }
  // Where threads get no turn to stop, it is tried again.
  [[nodiscard]] std::string write(std::initializer_list<TextPatch> patches) {
    StandStillOrder order;
    order.longest_hold = kLongestStandStill;
    for (const TextPatch& patch : patches) order.text_patches[order.text_patch_count++] = patch;
    constexpr int kTries = 20;
    std::string reason;
    for (int i = 0; i < kTries; ++i) {
      const Status stood = thread->stand_still(order);
      reason = stood ? "done" : stood.error().reason;
      if (reason != "thread-does-not-stop" && reason != "hold-too-long") break;
    }
    return reason;
  }
  [[nodiscard]] std::uint64_t sum_now() {
    const std::uint64_t calls = child.shared().other;
    while (child.shared().other < calls + 2 && child.alive()) ::usleep(100);
    return child.shared().value;
  }
  int end() {
    EXPECT_TRUE(thread->finish());
    child.shared().go = 1;
    return child.join();
  }

  Child child;
  std::optional<Process> process;
  std::optional<TargetLock> lock;
  std::optional<RemoteThread> thread;
};

int call_both(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) {
    shared.value = static_cast<std::uint64_t>(written_first() + 10 * written_third());
    shared.other.fetch_add(1);
  }
  return 0;
}

TEST(TextPatches, AreWrittenTogetherAndTakenBack) {
  Session session(call_both);
  EXPECT_EQ(session.write({session.patch(written_first, 1, 7), session.patch(written_third, 3, 8)}),
            "done");
  EXPECT_EQ(session.sum_now(), 87U);
  EXPECT_EQ(session.write({session.patch(written_third, 8, 3), session.patch(written_first, 7, 1)}),
            "done");
  EXPECT_EQ(session.sum_now(), 31U);
  EXPECT_EQ(session.end(), 0);
}

TEST(TextPatches, NothingIsWrittenWhereOneIsNotAsExpected) {
  Session session(call_both);
  const TextPatch good = session.patch(written_first, 1, 7);
  const TextPatch other_bytes = session.patch(written_third, 4, 8);
  TextPatch other_file = session.patch(written_third, 3, 8);
  ++other_file.file.inode;
  TextPatch other_place = session.patch(written_third, 3, 8);
  other_place.offset += kPageSize;
  TextPatch nowhere = session.patch(written_third, 3, 8);
  nowhere.at = {kPageSize};
  for (const TextPatch& bad : {other_bytes, other_file, other_place, nowhere}) {
    EXPECT_EQ(session.write({good, bad}), "text-changed");
    EXPECT_EQ(session.sum_now(), 31U);
  }
  EXPECT_EQ(session.end(), 0);
}

TEST(TextPatches, DataOfTheFileIsNotCode) {
  static int in_data = 5;
  Session session(call_both);
  const RuntimeAddress at{reinterpret_cast<std::uint64_t>(&in_data)};
  const Maps maps = *read_maps(session.child.pid());
  const Mapping& mapping = *maps.find(at);
  TextPatch patch{at, mapping.file, mapping.offset + (at - mapping.range.begin), 1, {}, {}};
  patch.before[0] = std::byte{5};
  EXPECT_EQ(session.write({patch}), "text-changed");
  EXPECT_EQ(session.end(), 0);
}

constexpr std::uint64_t kPlace = 0x200000000;

// Maps the file's page there and takes it away again, and puts memory of its own there
// in between, which has the very bytes: 1 where that was ever written to.
int come_and_go(Shared& shared) {
  const int file = ::open("/proc/self/exe", O_RDONLY);
  const off_t offset = static_cast<off_t>(shared.value.load());
  const auto place = reinterpret_cast<void*>(kPlace);
  constexpr int kRights = PROT_READ | PROT_WRITE;
  shared.ready = 1;
  while (shared.go == 0) {
    ::mmap(place, kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, offset);
    for (int i = 0; i < 2000; ++i) (void)reinterpret_cast<int (*)()>(kPlace)();
    ::munmap(place, kPageSize);
    ::mmap(place, kPageSize, kRights, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    std::memcpy(place, reinterpret_cast<const void*>(&written_first), kPageSize);
    for (int i = 0; i < 2000; ++i)
      if (std::memcmp(place, reinterpret_cast<const void*>(&written_first), kPageSize) != 0)
        return 1;
    ::munmap(place, kPageSize);
    shared.other.fetch_add(1);
  }
  return 0;
}

TEST(TextPatches, NeverHitWhatTookThePlaceOfTheCode) {
  const Maps own = *read_maps(::getpid());
  const Mapping& mapping = *own.find(address_of(written_first));
  const std::uint64_t offset = mapping.offset + (address_of(written_first) - mapping.range.begin);
  Session session([=](Shared& shared) {
    shared.value = offset;
    return come_and_go(shared);
  });
  TextPatch patch{{kPlace + 1}, mapping.file, offset + 1, 1, {}, {}};
  patch.before[0] = std::byte{1};
  patch.after[0] = std::byte{7};
  int written = 0;
  int refused = 0;
  constexpr int kMost = 2000;
  for (int i = 0; i < kMost && (written < 20 || refused < 20); ++i) {
    const std::string reason = session.write({patch});
    written += reason == "done" ? 1 : 0;
    refused += reason == "text-changed" ? 1 : 0;
  }
  EXPECT_GE(written, 20);
  EXPECT_GE(refused, 20);
  EXPECT_EQ(session.end(), 0);
}

}  // namespace
}  // namespace nohalt::target
