// Replacing one page of code under running threads.
//
// The changed page is prepared in a sealed memfd beside the original. The
// original is moved away with MREMAP_DONTUNMAP (its place stays mapped and
// refills from the file, so nobody faults), then the changed page is moved in by
// one mremap: a thread sees the old page or the new one, whole. Removal moves
// the parked original back over the changed page, which makes the mappings one
// again. Nobody is stopped. Any step can be the last: recover_page.h finishes.
//
// Steps in the target, each one system call of the helper:
//   1. both slots reserved, PROT_NONE, from the memfd: so that moving there
//      cannot overwrite anything of the target's, and the name shows whose it is
//   2. the changed page mapped r-x in the second slot
//   3. the original parked in the first slot
//   4. the changed page moved over its place
//
// Source: mremap(2); Linux mm/mremap.c (moves under the mmap lock for writing).
#pragma once

#include <span>

#include "probes/engines/inline/pages/file_page.h"
#include "probes/engines/inline/pages/recover_page.h"
#include "probes/engines/inline/pages/region.h"
#include "probes/target/remote_thread.h"

namespace nohalt::inline_pages {

inline constexpr std::string_view kSwappedPageName = "nohalt-page";
// Address space that the caller finds for each swapped page: parked original,
// staged change. Must be free; only the first page stays taken.
inline constexpr std::uint64_t kSlotSize = 2 * kPageSize;

struct SwappedPage {
  FilePage original;
  RuntimeAddress parked;
  PageBytes installed{};
};

// `original` comes from prove_file_page with the same helper alive. Undoes
// itself on failure. Reasons beside those of remote calls: "page-modified" (a
// change came in between), "page-holds-gadget" (the helper itself runs there).
[[nodiscard]] Result<SwappedPage> swap_in(target::RemoteThread& thread, const FilePage& original,
                                          RuntimeAddress slot, const PageBytes& changed);

// A swapped page into which bytes are still to be written, by target::stand_still:
// those of windows in whose middle a thread may be. Until then it holds what may be
// there without a stop.
class OpenPage {
 public:
  OpenPage(SwappedPage page, RemoteFile file) : page_(std::move(page)), file_(std::move(file)) {}

  // For the bytes at `at`, which are on the page.
  [[nodiscard]] target::FilePatch patch(RuntimeAddress at,
                                        std::span<const std::uint8_t> bytes) const;
  // What the page holds by now.
  [[nodiscard]] Result<PageBytes> content() const;
  // From then on the file can be written no more.
  [[nodiscard]] Status seal() const { return seal_content(file_.local()); }
  [[nodiscard]] const SwappedPage& page() const { return page_; }

 private:
  SwappedPage page_;
  RemoteFile file_;
};

// As swap_in with `changed`; the page is to become `final`.
[[nodiscard]] Result<OpenPage> swap_in_open(target::RemoteThread& thread, const FilePage& original,
                                            RuntimeAddress slot, const PageBytes& changed,
                                            const PageBytes& final);

// Puts the original back and proves it: bytes as in the file, backed by the file.
// Reason "page-changed-by-other" where the page is not what was installed;
// nothing is done then. Where the target has unmapped the page, what was parked is freed.
[[nodiscard]] Result<Recovery> swap_out(target::RemoteThread& thread, const SwappedPage& page);

// Moves one page over another; what was there is gone.
[[nodiscard]] Status move_page(target::RemoteThread& thread, RuntimeAddress from, RuntimeAddress to,
                               bool leave_mapped);

}  // namespace nohalt::inline_pages
