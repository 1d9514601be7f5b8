// The tool in small: swaps a page of a spinner's code, holds it for a moment, and
// swaps it back. The harness runs it and kills or stops it at each system call.
//
//   kill_driver arm-disarm PID SITE    one whole round
//   kill_driver recover PID SITE       what a sweep does: back to the original
//
// SITE is the address of an instruction whose immediate, one byte further, the
// changed page has different. Exit status 0: done; 3: refused or failed.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/recover_page.h"
#include "probes/engines/inline/pages/region.h"
#include "tests/targets/spinner.h"

namespace {

using namespace nohalt;
using namespace nohalt::inline_pages;

// A free place well away from everything, the same in each run.
RuntimeAddress choose_slot(const target::Maps& maps, RuntimeAddress site) {
  RuntimeAddress at{page_floor(site.value) + (1ULL << 32)};
  while (maps.overlaps({at, at + 16 * kPageSize})) at = at + (1ULL << 24);
  return at;
}

Status arm_and_disarm(const target::Process& process, const target::TargetLock& lock,
                      RuntimeAddress site) {
  const RuntimeAddress page{page_floor(site.value)};
  std::optional<SwappedPage> swapped;
  {
    NOHALT_TRY(auto thread, target::RemoteThread::borrow(process, lock));
    NOHALT_TRY(const auto maps, target::read_maps(process.pid()));
    NOHALT_TRY(const FilePage original, prove_file_page(process, lock.memory(), page));
    PageBytes changed = original.bytes;
    std::memcpy(changed.data() + (site - page) + 1, &targets::kPatchedResult, 4);
    NOHALT_TRY(swapped, swap_in(thread, original, choose_slot(maps, site), changed));
    NOHALT_CHECK(thread.finish());
  }
  ::usleep(2000);
  NOHALT_TRY(auto thread, target::RemoteThread::borrow(process, lock));
  NOHALT_CHECK(swap_out(thread, *swapped));
  return thread.finish();
}

Status recover(const target::Process& process, const target::TargetLock& lock,
               RuntimeAddress site) {
  NOHALT_TRY(auto thread, target::RemoteThread::borrow(process, lock));
  NOHALT_CHECK(recover_page(thread, {page_floor(site.value)}, {}));
  NOHALT_TRY(const auto leftovers, find_leftovers(process, lock.memory()));
  for (const auto slot : leftovers.slots) NOHALT_CHECK(remove_slot(thread, slot));
  return thread.finish();
}

Status run(std::string_view what, pid_t pid, RuntimeAddress site) {
  NOHALT_TRY(const auto process, target::Process::open(pid));
  NOHALT_TRY(const auto lock, target::TargetLock::acquire(process));
  return what == "recover" ? recover(process, lock, site) : arm_and_disarm(process, lock, site);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const RuntimeAddress site{std::strtoull(argv[3], nullptr, 10)};
  const auto done = run(argv[1], std::atoi(argv[2]), site);
  if (done) return 0;
  std::fprintf(stderr, "%s: %s\n", done.error().reason.c_str(), done.error().message.c_str());
  return 3;
}
