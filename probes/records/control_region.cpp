#include "probes/records/control_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nohalt::records {

namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

void fill_in(const ControlRegion& region) {
  const RunLayout& layout = region.layout();
  runtime::ControlPage& control = region.control();
  control.magic = runtime::kControlMagic;
  control.site_count = layout.sites.size();
  control.generation = layout.generation;
  control.region_size = layout.region_size;
  for (const SiteLayout& site : layout.sites) {
    runtime::ProbeControl& probe = region.probe(site.site);
    probe.site = site.site;
    probe.slot_count = site.slot_count;
    probe.slot_size = site.slot_size;
    probe.slots_offset = site.slots_offset;
  }
}

}  // namespace

Result<UniqueFd> create_control_memfd(const RunLayout& layout) {
  UniqueFd fd(memfd_create(runtime::kControlName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return fail_errno("memfd_create", runtime::kControlName, errno);
  if (ftruncate(fd.get(), static_cast<off_t>(layout.region_size)) != 0)
    return fail_errno("ftruncate", runtime::kControlName, errno);
  if (fcntl(fd.get(), F_ADD_SEALS, kSizeSeals | F_SEAL_SEAL) != 0)
    return fail_errno("fcntl(F_ADD_SEALS)", runtime::kControlName, errno);
  NOHALT_CHECK(ControlRegion::prepare(fd.get(), layout));
  return fd;
}

Status ControlRegion::prepare(int fd, const RunLayout& layout) {
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(layout.region_size)))
    return fail_errno("posix_fallocate", runtime::kControlName, error);
  NOHALT_TRY(const ControlRegion region, ControlRegion::map(fd, layout));
  fill_in(region);
  return {};
}

Result<ControlRegion> ControlRegion::map(int fd, RunLayout layout) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail_errno("fstat", runtime::kControlName, errno);
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSizeSeals) != kSizeSeals ||
      static_cast<std::uint64_t>(status.st_size) < layout.region_size)
    return fail(ErrorCode::kRefused, "control-size",
                "The control region is smaller than it was made, or could be made so.",
                "Another program interferes with it; end that program first.");
  void* base = mmap(nullptr, layout.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return fail_errno("mmap", runtime::kControlName, errno);
  (void)::madvise(base, layout.region_size, MADV_DONTDUMP);  // beside the tool's own setting
  return ControlRegion(static_cast<std::byte*>(base), std::move(layout));
}

ControlRegion::ControlRegion(std::byte* base, RunLayout layout)
    : base_(base), layout_(std::move(layout)) {}

ControlRegion::ControlRegion(ControlRegion&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), layout_(std::move(other.layout_)) {}

ControlRegion& ControlRegion::operator=(ControlRegion&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(layout_, other.layout_);
  return *this;
}

ControlRegion::~ControlRegion() {
  if (base_ != nullptr) munmap(base_, layout_.region_size);
}

runtime::ControlPage& ControlRegion::control() const {
  return *reinterpret_cast<runtime::ControlPage*>(base_);
}

runtime::ProbeControl& ControlRegion::probe(std::size_t site) const {
  return reinterpret_cast<runtime::ProbeControl*>(base_ + runtime::kProbesStart)[site];
}

void ControlRegion::forget_calls() const {
  auto& table = *reinterpret_cast<runtime::CallTable*>(base_ + runtime::kCallsStart);
  for (auto& bucket : table.notes)
    for (auto& note : bucket) __atomic_store_n(&note, 0, __ATOMIC_SEQ_CST);
}

std::byte* ControlRegion::slot(std::size_t site, std::size_t index) const {
  const SiteLayout& layout = layout_.sites[site];
  return base_ + layout.slots_offset + index * layout.slot_size;
}

}  // namespace nohalt::records
