// CLOCK_BOOTTIME, and the id that the kernel makes up at each boot.
#include "src/base/boot_clock.h"

#include <time.h>

#include "src/base/file.h"

namespace nohalt {

Result<BootTime> boot_time() {
  BootTime now;
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  now.ms = static_cast<std::uint64_t>(boot.tv_sec) * 1000 +
           static_cast<std::uint64_t>(boot.tv_nsec) / 1'000'000;
  NOHALT_TRY(now.boot_id, read_file("/proc/sys/kernel/random/boot_id"));
  while (now.boot_id.ends_with('\n')) now.boot_id.pop_back();
  return now;
}

}  // namespace nohalt
