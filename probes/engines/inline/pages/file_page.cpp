// Compares mappings, pagemap and smaps with the file (Documentation/admin-guide/
// mm/pagemap.rst, proc_pid_smaps(5)).
#include "probes/engines/inline/pages/file_page.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::inline_pages {

using target::Mapping;

namespace {

std::unexpected<Error> refuse(
    const char* reason, const char* message,
    const char* hint = "A kernel uprobe (bpftrace, perf probe) can still watch this place.") {
  return fail(ErrorCode::kRefused, reason, message, hint);
}

UniqueFd open_if_inode(const std::string& path, std::uint64_t inode) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (fd.valid() && ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_ino == inode)
    return fd;
  return {};
}

std::string map_files_path(pid_t pid, const Mapping& mapping) {
  std::array<char, 96> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/map_files/%lx-%lx", pid,
                mapping.range.begin.value, mapping.range.end.value);
  return path.data();
}

Status check_mapping(const target::Process& process, const Mapping& mapping, bool main) {
  const std::string status_path = "/proc/" + std::to_string(process.pid()) + "/status";
  NOHALT_TRY(const std::string status, read_file(status_path));
  const bool locks_memory = target::status_field(status, "VmLck") != "0 kB" &&
                            !target::status_field(status, "VmLck").empty();
  // Reading smaps walks page tables up to the mapping asked for. The executable
  // comes before the heap; a library comes after it, and its walk could be long.
  if (!main) {
    if (!locks_memory) return {};
    return refuse("locked-mapping", "The target locks its memory, this page perhaps included.");
  }
  NOHALT_TRY(const auto facts, target::read_mapping_facts(process.pid(), mapping.range.begin));
  if (facts.has_flag("lo")) return refuse("locked-mapping", "The page is locked in memory.");
  if (facts.has_flag("sl")) return refuse("sealed-mapping", "The target has sealed this mapping.");
  if (facts.huge != 0) return refuse("huge-page", "The code is mapped by huge pages.");
  return {};
}

Result<Backing> lasting_backing(const target::Images& images, const Mapping& mapping,
                                RuntimeAddress page) {
  if (!mapping.executable || !mapping.readable || mapping.writable || mapping.shared)
    return refuse("not-code", "The page is not mapped as plain code (r-xp).");
  const auto* image = mapping.anonymous() ? nullptr : images.of(mapping);
  if (image == nullptr)
    return refuse("not-a-lasting-image",
                  "The code belongs neither to the executable nor to a library it needs, so it may "
                  "vanish at any time.");
  const std::uint64_t offset = mapping.offset + (page - mapping.range.begin);
  // Whoever looks for the image, removal included, begins at this page.
  if (offset == 0)
    return refuse("holds-file-header", "The page also holds the header of its file.");
  return Backing{mapping.file, mapping.path, offset, image->main_executable};
}

}  // namespace

Result<UniqueFd> open_backing(const target::Process& process, const target::Maps& maps,
                              const Backing& backing) {
  const std::string folder = "/proc/" + std::to_string(process.pid());
  // The kernel's own link to the executable needs no comparison of inodes, which
  // overlay file systems number differently.
  if (backing.main_executable) {
    UniqueFd exe(::open((folder + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    if (exe.valid()) return exe;
  }
  for (const auto& mapping : maps.all()) {
    if (mapping.file != backing.file || mapping.path != backing.path) continue;
    if (auto fd = open_if_inode(map_files_path(process.pid(), mapping), backing.file.inode);
        fd.valid())
      return fd;
    break;
  }
  if (auto fd = open_if_inode(folder + "/root" + backing.path, backing.file.inode); fd.valid())
    return fd;
  return refuse("file-not-readable", "The file that the code was mapped from cannot be opened.",
                "It was replaced or removed since the target started: restart the target.");
}

Result<FilePage> read_file_page(const target::Process& process, const target::Maps& maps,
                                RuntimeAddress page, const Backing& backing) {
  NOHALT_TRY(const UniqueFd fd, open_backing(process, maps, backing));
  struct statfs file_system{};
  if (::fstatfs(fd.get(), &file_system) == 0 && file_system.f_type == HUGETLBFS_MAGIC)
    return refuse("huge-page", "The code is mapped from a file system of huge pages.");
  FilePage result{page, backing, {}};
  std::size_t done = 0;
  while (done < kPageSize) {
    const ssize_t n = ::pread(fd.get(), result.bytes.data() + done, kPageSize - done,
                              static_cast<off_t>(backing.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("pread", backing.path, errno);
    if (n == 0) break;  // past the end of the file a page is zero
    done += static_cast<std::size_t>(n);
  }
  if (done == 0) return refuse("file-not-readable", "The file ends before the mapped page.");
  return result;
}

bool agrees_but_for_breakpoints(const PageBytes& live, const PageBytes& file) {
  constexpr std::byte kBreakpoint{0xcc};
  for (std::size_t i = 0; i < live.size(); ++i)
    if (live[i] != file[i] && live[i] != kBreakpoint) return false;
  return true;
}

Result<bool> has_private_copy(pid_t pid, RuntimeAddress page) {
  const std::string path = "/proc/" + std::to_string(pid) + "/pagemap";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::uint64_t entry = 0;
  const auto offset = static_cast<off_t>(page.value / kPageSize * sizeof entry);
  if (!fd.valid() || ::pread(fd.get(), &entry, sizeof entry, offset) != sizeof entry)
    return fail_errno("pread", path, errno);
  const bool present = (entry >> 63 & 1) != 0;
  const bool swapped = (entry >> 62 & 1) != 0;
  const bool of_file = (entry >> 61 & 1) != 0;
  return swapped || (present && !of_file);
}

Result<FilePage> prove_file_page(const target::Process& process, const target::Memory& memory,
                                 RuntimeAddress page) {
  NOHALT_TRY(const auto maps, target::read_maps(process.pid()));
  NOHALT_TRY(const auto images, target::Images::read(process.pid(), maps, memory));
  const Mapping* mapping = maps.find(page);
  if (mapping == nullptr || page.value % kPageSize != 0)
    return refuse("not-code", "There is no page of code at this address.");
  NOHALT_TRY(const Backing backing, lasting_backing(images, *mapping, page));
  NOHALT_CHECK(check_mapping(process, *mapping, backing.main_executable));
  NOHALT_TRY(FilePage wanted, read_file_page(process, maps, page, backing));
  NOHALT_TRY(const bool copied, has_private_copy(process.pid(), page));
  PageBytes live{};
  NOHALT_CHECK(memory.read(page, live));
  if (live != wanted.bytes)
    return refuse("page-differs-from-file",
                  "The code in memory is not what its file says: another tool has changed it.",
                  "Remove the other tool's breakpoint, uprobe or hot patch first.");
  if (copied)
    return refuse("page-modified",
                  "The page of code is a private copy: another tool has written to it.",
                  "Remove the other tool's breakpoint, uprobe or hot patch first.");
  return wanted;
}

}  // namespace nohalt::inline_pages
