// Memory of nohalt's own in a target, made through the helper thread.
//
// Code and control pages are memfds: made in the target, written by the tool
// through its own descriptor of the same file, and sealed, so that neither can
// be resized under a mapping (which would be a SIGBUS) and code can never be
// written by anyone. Code is mapped r-x at once: nothing is ever writable and
// executable, and no mprotect is needed (PR_SET_MDWE forbids it). Every mapping
// takes an address that the caller chose and that must be free
// (MAP_FIXED_NOREPLACE); no descriptor stays open in the target.
//
// A Region unmaps itself through the helper unless kept, so that a failure
// half-way leaves nothing. It must not outlive its RemoteThread.
#pragma once

#include <span>
#include <string_view>

#include "probes/target/remote_thread.h"
#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::inline_pages {

class Region {
 public:
  Region(Region&& other) noexcept;
  Region& operator=(Region&&) = delete;
  ~Region();

  [[nodiscard]] const RuntimeRange& range() const { return range_; }
  // The memfd, for the tool to map; not valid for the gate page.
  [[nodiscard]] UniqueFd& file() { return file_; }
  // From now on it stays when this object goes.
  void keep() { thread_ = nullptr; }
  [[nodiscard]] Status unmap();

 private:
  friend class RegionMapper;
  Region(target::RemoteThread& thread, RuntimeRange range, UniqueFd file)
      : thread_(&thread), range_(range), file_(std::move(file)) {}
  target::RemoteThread* thread_;
  RuntimeRange range_;
  UniqueFd file_;
};

// Whether a file's content is sealed against writing: at once, never, or when its
// owner has written the last of it.
enum class Content { kSealed, kOpen, kSealedLater };
[[nodiscard]] Status seal_content(int file);

// A memfd in the helper's descriptor table, open in the tool as well. Closed in
// the helper by the destructor; the tool's descriptor can be taken.
class RemoteFile {
 public:
  // Creates it with `bytes` as its content, of that size (rounded up to pages),
  // which can never change.
  [[nodiscard]] static Result<RemoteFile> create(target::RemoteThread& thread,
                                                 std::string_view name,
                                                 std::span<const std::byte> bytes,
                                                 std::uint64_t size, Content content);
  RemoteFile(RemoteFile&& other) noexcept;
  RemoteFile& operator=(RemoteFile&&) = delete;
  ~RemoteFile();

  [[nodiscard]] std::uint64_t remote() const { return remote_; }
  [[nodiscard]] int local() const { return local_.get(); }
  [[nodiscard]] UniqueFd take_local() { return std::move(local_); }

 private:
  RemoteFile(target::RemoteThread& thread, std::uint64_t remote, UniqueFd local)
      : thread_(&thread), remote_(remote), local_(std::move(local)) {}
  target::RemoteThread* thread_;
  std::uint64_t remote_;
  UniqueFd local_;
};

// Maps at exactly `range.begin`; reason "address-taken" where that is not free.
[[nodiscard]] Status map_at(target::RemoteThread& thread, const RuntimeRange& range, int protection,
                            int flags, std::int64_t remote_file);

class RegionMapper {
 public:
  explicit RegionMapper(target::RemoteThread& thread) : thread_(&thread) {}

  // r-x, sealed. `range` is whole pages and at least as large as `code`.
  [[nodiscard]] Result<Region> map_code(std::string_view name, const RuntimeRange& range,
                                        std::span<const std::byte> code);
  // rw, shared with the tool through file(), zero; its size can never change.
  [[nodiscard]] Result<Region> map_control(std::string_view name, const RuntimeRange& range);
  // One page, rw, private, zero; zero again in a forked child.
  [[nodiscard]] Result<Region> map_gate(RuntimeAddress address);

 private:
  target::RemoteThread* thread_;
};

// For removal, when the Region object is no more.
[[nodiscard]] Status unmap_range(target::RemoteThread& thread, const RuntimeRange& range);

}  // namespace nohalt::inline_pages
