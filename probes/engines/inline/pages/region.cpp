// Remote memfd_create, mmap, madvise, munmap, close.
#include "probes/engines/inline/pages/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "src/base/file.h"

namespace nohalt::inline_pages {

using target::RemoteThread;

namespace {

constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, Linux 6.3: mapping r-x stays allowed
constexpr int kResizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;
// Nobody else asks for this, so that a gate page is known as one from its first
// moment: a run may be killed before it is marked.
constexpr int kUnmarkedGate = PROT_WRITE;

Result<std::uint64_t> create_memfd(RemoteThread& thread, std::string_view name) {
  NOHALT_TRY(const RuntimeAddress text, thread.put_text(name));
  const std::uint64_t flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  NOHALT_TRY(const std::int64_t fd,
             thread.raw_call(SYS_memfd_create, {text.value, flags, 0, 0, 0, 0}));
  if (fd >= 0) return static_cast<std::uint64_t>(fd);
  // vm.memfd_noexec=2 allows only files that cannot be executed as programs.
  return thread.call("memfd_create", SYS_memfd_create,
                     {text.value, flags | kNoExecSeal, 0, 0, 0, 0});
}

Status add_seals(int file, int seals) {
  if (::fcntl(file, F_ADD_SEALS, seals) == 0) return {};
  return fail_errno("fcntl(F_ADD_SEALS)", "a memfd", errno);
}

}  // namespace

Status seal_content(int file) { return add_seals(file, kResizeSeals | F_SEAL_WRITE | F_SEAL_SEAL); }

Result<RemoteFile> RemoteFile::create(RemoteThread& thread, std::string_view name,
                                      std::span<const std::byte> bytes, std::uint64_t size,
                                      Content content) {
  NOHALT_TRY(const std::uint64_t remote, create_memfd(thread, name));
  RemoteFile file(thread, remote, {});
  NOHALT_TRY(file.local_, thread.open_remote_descriptor(remote, O_RDWR));
  if (::ftruncate(file.local_.get(), static_cast<off_t>(page_ceil(size))) != 0)
    return fail_errno("ftruncate", "a memfd", errno);
  NOHALT_CHECK(write_all_at(file.local_.get(), bytes, 0));
  if (content == Content::kSealed) {
    NOHALT_CHECK(seal_content(file.local_.get()));
    return file;
  }
  const int last = content == Content::kOpen ? F_SEAL_SEAL : 0;
  NOHALT_CHECK(add_seals(file.local_.get(), kResizeSeals | last));
  return file;
}

RemoteFile::RemoteFile(RemoteFile&& other) noexcept
    : thread_(std::exchange(other.thread_, nullptr)),
      remote_(other.remote_),
      local_(std::move(other.local_)) {}

RemoteFile::~RemoteFile() {
  if (thread_ != nullptr) (void)thread_->raw_call(SYS_close, {remote_, 0, 0, 0, 0, 0});
}

Status map_at(RemoteThread& thread, const RuntimeRange& range, int protection, int flags,
              std::int64_t remote_file) {
  const auto mapped =
      thread.call("mmap", SYS_mmap,
                  {range.begin.value, range.size(), static_cast<std::uint64_t>(protection),
                   static_cast<std::uint64_t>(flags), static_cast<std::uint64_t>(remote_file), 0});
  if (mapped) return {};
  // A session that is lost may have mapped it: that is the caller's to find out.
  if (target::session_was_lost(mapped.error())) return std::unexpected(mapped.error());
  const auto maps = target::read_maps(thread.process().pid());
  const bool taken = (flags & MAP_FIXED_NOREPLACE) != 0 && maps && maps->overlaps(range);
  if (!taken) return std::unexpected(mapped.error());
  return fail(ErrorCode::kRefused, "address-taken",
              "The place chosen in the target's address space is taken.", "Try again.");
}

Status unmap_range(RemoteThread& thread, const RuntimeRange& range) {
  NOHALT_CHECK(thread.call("munmap", SYS_munmap, {range.begin.value, range.size(), 0, 0, 0, 0}));
  return {};
}

Region::Region(Region&& other) noexcept
    : thread_(std::exchange(other.thread_, nullptr)),
      range_(other.range_),
      file_(std::move(other.file_)) {}

Region::~Region() { (void)unmap(); }

Status Region::unmap() {
  RemoteThread* thread = std::exchange(thread_, nullptr);
  return thread == nullptr ? Status{} : unmap_range(*thread, range_);
}

Result<Region> RegionMapper::map_code(std::string_view name, const RuntimeRange& range,
                                      std::span<const std::byte> code) {
  NOHALT_TRY(RemoteFile file,
             RemoteFile::create(*thread_, name, code, range.size(), Content::kSealed));
  NOHALT_CHECK(map_at(*thread_, range, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_POPULATE,
                      static_cast<std::int64_t>(file.remote())));
  return Region(*thread_, range, file.take_local());
}

Result<Region> RegionMapper::map_control(std::string_view name, const RuntimeRange& range) {
  NOHALT_TRY(RemoteFile file, RemoteFile::create(*thread_, name, {}, range.size(), Content::kOpen));
  NOHALT_CHECK(map_at(*thread_, range, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE,
                      static_cast<std::int64_t>(file.remote())));
  Region region(*thread_, range, file.take_local());
  // Records are of one reader only.
  NOHALT_CHECK(thread_->call("madvise", SYS_madvise,
                             {range.begin.value, range.size(), MADV_DONTDUMP, 0, 0, 0}));
  return region;
}

Result<Region> RegionMapper::map_gate(RuntimeAddress address) {
  const RuntimeRange range{address, address + kPageSize};
  NOHALT_CHECK(map_at(*thread_, range, kUnmarkedGate,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1));
  Region region(*thread_, range, {});
  NOHALT_CHECK(
      thread_->call("madvise", SYS_madvise, {address.value, kPageSize, MADV_WIPEONFORK, 0, 0, 0}));
  NOHALT_CHECK(thread_->call("mprotect", SYS_mprotect,
                             {address.value, kPageSize, PROT_READ | PROT_WRITE, 0, 0, 0}));
  return region;
}

}  // namespace nohalt::inline_pages
