// Each thread is looked at until it was seen outside once. A stack is scanned
// from the stack pointer to the end of its mapping, at most kLongestScan: what a
// handler interrupted lies in its signal frame there. A word that only looks like
// an address of the code delays, and then keeps the code mapped; it never frees it.
#include "probes/target/drain.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "probes/target/maps.h"
#include "probes/target/threads.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kLongestScan = 256 * 1024;
constexpr std::chrono::milliseconds kBetweenLooks{2};
// However many threads there are, and however slowly they come by.
constexpr std::chrono::milliseconds kLongest{15'000};

class Drain {
 public:
  Drain(RemoteThread& thread, std::span<const RuntimeRange> code) : thread_(thread), code_(code) {}

  // Whoever is here now. A thread that is born later cannot get in.
  Status begin() {
    NOHALT_TRY(const auto threads, list_threads(thread_.process().pid()));
    inside_.insert(threads.begin(), threads.end());
    inside_.erase(thread_.helper());
    return {};
  }

  // One look at all threads not yet seen outside; gives how many are left.
  Result<std::size_t> look() {
    const pid_t pid = thread_.process().pid();
    NOHALT_TRY(maps_, read_maps(pid));
    for (auto tid = inside_.begin(); tid != inside_.end();) {
      NOHALT_TRY(const bool outside, is_outside(pid, *tid));
      tid = outside ? inside_.erase(tid) : std::next(tid);
    }
    return inside_.size();
  }

 private:
  Result<bool> is_outside(pid_t pid, pid_t tid) {
    const auto state = read_thread(pid, tid);
    if (!state) return true;  // it ended
    if (state->blocked)
      return clear(state->blocked->program_counter, state->blocked->stack_pointer);
    const auto spot = thread_.observe(tid);
    if (spot) return clear(spot->program_counter, spot->stack_pointer);
    if (spot.error().code == ErrorCode::kRefused) return false;
    return std::unexpected(spot.error());
  }

  [[nodiscard]] bool clear(RuntimeAddress pc, RuntimeAddress stack_pointer) const {
    if (in_code(pc.value)) return false;
    const Mapping* stack = maps_.find(stack_pointer);
    if (stack == nullptr) return false;
    const std::uint64_t begin = stack_pointer.value & ~std::uint64_t{7};
    const std::uint64_t end = std::min(stack->range.end.value, begin + kLongestScan);
    const auto bytes = thread_.memory().read(RuntimeRange{{begin}, {end}});
    if (!bytes) return false;
    for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes->size();
         at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes->data() + at, sizeof(word));
      if (in_code(word)) return false;
    }
    return true;
  }

  [[nodiscard]] bool in_code(std::uint64_t address) const {
    return std::any_of(code_.begin(), code_.end(),
                       [&](const RuntimeRange& range) { return range.contains({address}); });
  }

  RemoteThread& thread_;
  std::span<const RuntimeRange> code_;
  Maps maps_;
  std::set<pid_t> inside_;  // not yet seen outside
};

}  // namespace

Result<bool> wait_until_left(RemoteThread& thread, std::span<const RuntimeRange> code,
                             std::chrono::milliseconds patience) {
  if (code.empty()) return true;
  Drain drain(thread, code);
  NOHALT_CHECK(drain.begin());
  const auto began = std::chrono::steady_clock::now();
  auto moved_on = began;
  std::size_t before = 0;
  while (true) {
    NOHALT_TRY(const std::size_t left, drain.look());
    if (left == 0) return true;
    const auto now = std::chrono::steady_clock::now();
    if (std::exchange(before, left) != left) moved_on = now;
    if (now >= std::min(moved_on + patience, began + kLongest)) return false;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace nohalt::target
