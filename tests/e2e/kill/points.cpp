// Sorting of calls; no process is touched here.
#include "tests/e2e/kill/points.h"

#include <sys/syscall.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace nohalt::kill_test {

namespace {

bool only_looks(long number) {
  constexpr long kLooks[] = {SYS_read,      SYS_open,       SYS_openat,         SYS_close,
                             SYS_fstat,     SYS_newfstatat, SYS_lseek,          SYS_pread64,
                             SYS_access,    SYS_readlink,   SYS_readlinkat,     SYS_getdents64,
                             SYS_mmap,      SYS_munmap,     SYS_mprotect,       SYS_brk,
                             SYS_sysinfo,   SYS_getpid,     SYS_rt_sigprocmask, SYS_clock_gettime,
                             SYS_madvise,   SYS_mremap,     SYS_getrandom,      SYS_rt_sigaction,
                             SYS_prlimit64, SYS_kcmp};
  return std::ranges::find(kLooks, number) != std::end(kLooks);
}

std::vector<Call> touching(const std::vector<Call>& calls, Role role) {
  if (role != Role::kTool) return calls;
  const auto writes = [](const Call& call) { return call.number == SYS_pwrite64; };
  const auto begin = std::find_if(calls.begin(), calls.end(), writes);
  const auto end = std::find_if(begin, calls.end(),
                                [&](const Call& call) { return call.phase == calls.back().phase; });
  return {begin, end};
}

void append_spread(std::vector<Point>& to, const std::vector<Point>& from) {
  const std::size_t count = from.size();
  std::size_t step = std::max<std::size_t>(1, count * 618 / 1000);
  while (std::gcd(step, count) > 1) ++step;
  for (std::size_t i = 0; i < count; ++i) to.push_back(from[i * step % count]);
}

}  // namespace

Points points_of(const std::vector<std::vector<Call>>& runs, Role role) {
  Points points;
  std::set<Call> sorts;
  std::map<Call, unsigned> taken;  // from all runs
  std::map<Call, std::size_t> runs_with;
  std::vector<Point> changing;
  std::vector<Point> looking;
  for (const auto& run : runs) {
    std::map<Call, unsigned> met;
    for (const Call& call : touching(run, role)) {
      if (++met[call] == 1) ++runs_with[call];
      if (met[call] <= taken[call]) continue;
      ++taken[call];
      const Point point{call, met[call], false, !only_looks(call.number)};
      if (point.changes) ++points.changing;
      Call sort = call;
      if (!point.changes) sort.number = SYS_read;
      auto& rest = point.changes ? changing : looking;
      (sorts.insert(sort).second ? points.list : rest).push_back(point);
    }
  }
  points.sorts = points.list.size();
  for (Point& point : points.list) point.usual = runs_with[point.call] == runs.size();
  append_spread(points.list, changing);
  append_spread(points.list, looking);
  return points;
}

}  // namespace nohalt::kill_test
