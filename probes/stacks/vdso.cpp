#include "probes/stacks/vdso.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include <cerrno>

#include "probes/target/maps.h"
#include "src/base/file.h"

namespace nohalt::stacks {

namespace {

Result<std::span<const std::byte>> own_vdso() {
  const RuntimeAddress begin{::getauxval(AT_SYSINFO_EHDR)};
  NOHALT_TRY(const target::Maps maps, target::read_maps(::getpid()));
  const target::Mapping* mapping = maps.find(begin);
  if (begin.value == 0 || mapping == nullptr)
    return fail(ErrorCode::kInternal, "no-vdso", "The kernel maps no vdso.");
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives it as a number.
  return std::span(reinterpret_cast<const std::byte*>(begin.value), mapping->range.size());
}

}  // namespace

Result<UniqueFd> vdso_file(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    NOHALT_TRY(bytes, own_vdso());
  }
  UniqueFd file(::memfd_create("nohalt-vdso", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno("memfd_create", "vdso", errno);
  NOHALT_CHECK(write_all_at(file.get(), bytes, 0));
  return file;
}

}  // namespace nohalt::stacks
