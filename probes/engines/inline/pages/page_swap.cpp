// The steps of page_swap.h.
#include "probes/engines/inline/pages/page_swap.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "probes/engines/inline/pages/region.h"

namespace nohalt::inline_pages {

using target::RemoteThread;

namespace {

// The helper's own instructions must be the same in both pages.
Status check_gadgets(const RemoteThread& thread, const FilePage& original,
                     const PageBytes& changed) {
  constexpr std::uint64_t kLongestGadget = 3;
  for (const RuntimeAddress gadget : {thread.gadgets().syscall_ret, thread.gadgets().pop_rax_ret}) {
    for (std::uint64_t i = 0; i < kLongestGadget; ++i) {
      const RuntimeAddress at = gadget + i;
      if (page_floor(at.value) != original.page.value) continue;
      const std::uint64_t offset = at - original.page;
      if (original.bytes[offset] != changed[offset])
        return fail(ErrorCode::kRefused, "page-holds-gadget",
                    "The place to patch is code that the helper thread itself needs.",
                    "Choose another line.");
    }
  }
  return {};
}

Result<RemoteFile> stage(RemoteThread& thread, RuntimeAddress slot, const PageBytes& changed,
                         Content content) {
  NOHALT_TRY(RemoteFile file,
             RemoteFile::create(thread, kSwappedPageName, changed, kPageSize, content));
  const auto remote = static_cast<std::int64_t>(file.remote());
  NOHALT_CHECK(map_at(thread, {slot, slot + kSlotSize}, PROT_NONE,
                      MAP_PRIVATE | MAP_FIXED_NOREPLACE, remote));
  const RuntimeAddress staged = slot + kPageSize;
  NOHALT_CHECK(map_at(thread, {staged, staged + kPageSize}, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, remote));
  return file;
}

// The page that was parked must still be the file's own.
Status check_parked(const RemoteThread& thread, const FilePage& original, RuntimeAddress parked) {
  PageBytes bytes{};
  NOHALT_CHECK(thread.memory().read(parked, bytes));
  NOHALT_TRY(const bool copied, has_private_copy(thread.process().pid(), parked));
  if (!copied && bytes == original.bytes) return {};
  return fail(ErrorCode::kRefused, "page-modified",
              "Another tool changed the page of code while it was being replaced.",
              "Remove the other tool's breakpoint, uprobe or hot patch first.");
}

Status park_and_move(RemoteThread& thread, const FilePage& original, RuntimeAddress slot) {
  NOHALT_CHECK(move_page(thread, original.page, slot, true));
  Status moved = check_parked(thread, original, slot);
  if (moved) moved = move_page(thread, slot + kPageSize, original.page, false);
  if (moved) return {};
  NOHALT_CHECK(move_page(thread, slot, original.page, false));
  return moved;
}

// `final` is what the helper runs on if it needs instructions of this page.
Result<OpenPage> swap(RemoteThread& thread, const FilePage& original, RuntimeAddress slot,
                      const PageBytes& changed, const PageBytes& final, Content content) {
  NOHALT_CHECK(check_gadgets(thread, original, changed));
  NOHALT_CHECK(check_gadgets(thread, original, final));
  auto staged = stage(thread, slot, changed, content);
  if (!staged) {
    (void)remove_slot(thread, slot);
    return std::unexpected(std::move(staged).error());
  }
  if (auto moved = park_and_move(thread, original, slot); !moved) {
    (void)remove_slot(thread, slot);
    return std::unexpected(std::move(moved).error());
  }
  return OpenPage({original, slot, changed}, std::move(*staged));
}

// The page is gone, and with it perhaps the image by which others would know this one.
Result<Recovery> free_parked(RemoteThread& thread, const SwappedPage& page) {
  NOHALT_TRY(const auto maps, target::read_maps(thread.process().pid()));
  const target::Mapping* mapping = maps.find(page.parked);
  const RuntimeRange parked{page.parked, page.parked + kPageSize};
  if (mapping != nullptr && mapping->range == parked &&
      mapping->file == page.original.backing.file &&
      mapping->offset == page.original.backing.offset)
    NOHALT_CHECK(unmap_range(thread, parked));
  NOHALT_CHECK(remove_slot(thread, page.parked));
  return Recovery::kGone;
}

}  // namespace

target::FilePatch OpenPage::patch(RuntimeAddress at, std::span<const std::uint8_t> bytes) const {
  target::FilePatch patch;
  patch.remote_file = file_.remote();
  patch.offset = at - page_.original.page;
  patch.size = static_cast<std::uint32_t>(bytes.size());
  std::ranges::copy(std::as_bytes(bytes), patch.bytes.begin());
  return patch;
}

Result<PageBytes> OpenPage::content() const {
  PageBytes bytes{};
  if (::pread(file_.local(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()))
    return bytes;
  return fail_errno("pread", "a memfd", errno);
}

Result<OpenPage> swap_in_open(RemoteThread& thread, const FilePage& original, RuntimeAddress slot,
                              const PageBytes& changed, const PageBytes& final) {
  return swap(thread, original, slot, changed, final, Content::kSealedLater);
}

Status move_page(RemoteThread& thread, RuntimeAddress from, RuntimeAddress to, bool leave_mapped) {
  const std::uint64_t flags = static_cast<std::uint64_t>(MREMAP_MAYMOVE | MREMAP_FIXED) |
                              (leave_mapped ? static_cast<std::uint64_t>(MREMAP_DONTUNMAP) : 0);
  NOHALT_CHECK(
      thread.call("mremap", SYS_mremap, {from.value, kPageSize, kPageSize, flags, to.value, 0}));
  return {};
}

Result<SwappedPage> swap_in(RemoteThread& thread, const FilePage& original, RuntimeAddress slot,
                            const PageBytes& changed) {
  NOHALT_TRY(const OpenPage open, swap(thread, original, slot, changed, changed, Content::kSealed));
  return open.page();
}

Result<Recovery> swap_out(RemoteThread& thread, const SwappedPage& page) {
  PageBytes live{};
  const Status read = thread.memory().read(page.original.page, live);
  if (!read && read.error().code != ErrorCode::kTargetGone) return free_parked(thread, page);
  NOHALT_CHECK(read);
  if (live != page.installed && live != page.original.bytes)
    return fail(ErrorCode::kRefused, "page-changed-by-other",
                "Another tool has changed the patched page since.",
                "The probe is dormant; remove the other tool's breakpoint, then run `nohalt "
                "sweep`.");
  return recover_page(thread, page.original.page, page.parked);
}

}  // namespace nohalt::inline_pages
