// Reasons from the list of mappings to what must be moved back.
#include "probes/engines/inline/pages/recover_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <optional>
#include <string>

#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/region.h"
#include "src/base/escape.h"

namespace nohalt::inline_pages {

using target::Images;
using target::Mapping;
using target::Maps;
using target::RemoteThread;

namespace {

bool is_ours(const Mapping& mapping) {
  return mapping.deleted && mapping.path == "/memfd:" + std::string(kSwappedPageName);
}

bool is_plain_code(const Mapping& mapping) {
  return mapping.readable && mapping.executable && !mapping.writable && !mapping.shared;
}

// The mapping is that file's page (and perhaps more around it).
bool is_backed_by(const Mapping& mapping, RuntimeAddress page, const Backing& backing) {
  return mapping.file == backing.file && mapping.path == backing.path && is_plain_code(mapping) &&
         mapping.offset + (page - mapping.range.begin) == backing.offset;
}

// What belongs at a page, as the program headers of the image around it say: a
// small program's code may be one page, so that no mapping beside it tells.
std::optional<Backing> backing_at(const Maps& maps, const Images& images, RuntimeAddress page) {
  const Mapping* mapping = maps.find(page);
  if (mapping == nullptr) return std::nullopt;
  for (const target::Image& image : images.all()) {
    for (const target::Segment& segment : image.segments) {
      const RuntimeRange range{image.bias.to_runtime({page_floor(segment.memory.begin.value)}),
                               image.bias.to_runtime({page_ceil(segment.memory.end.value)})};
      if (!segment.executable || !range.contains(page)) continue;
      const Backing backing{image.file, image.path,
                            page_floor(segment.file_offset) + (page - range.begin),
                            image.main_executable};
      if (is_ours(*mapping) || is_backed_by(*mapping, page, backing)) return backing;
    }
  }
  return std::nullopt;
}

// Whether the slot holds the parked original: a mapping of the file's page with
// the file's bytes.
bool holds_parked(const Maps& maps, const RemoteThread& thread, const FilePage& original,
                  RuntimeAddress slot) {
  const Mapping* mapping = maps.find(slot);
  if (mapping == nullptr || mapping->range != RuntimeRange{slot, slot + kPageSize} ||
      !is_backed_by(*mapping, slot, original.backing))
    return false;
  PageBytes bytes{};
  return thread.memory().read(slot, bytes) && agrees_but_for_breakpoints(bytes, original.bytes);
}

std::unexpected<Error> file_replaced(const FilePage& original) {
  return fail(ErrorCode::kInternal, "file-replaced",
              "The file " + escape_untrusted(original.backing.path).text +
                  " is not the one that the target runs any more, and the page that was put aside "
                  "is gone.",
              "The probe is dormant; restart the target when convenient.");
}

// Maps the file anew beside the page, proves that it is the same file with the
// same bytes, and only then moves it over. The path must fit into the scratch
// words; it is opened by name, and another file may stand there by now.
Status map_from_file(RemoteThread& thread, const FilePage& original) {
  NOHALT_TRY(const RuntimeAddress text, thread.put_text(original.backing.path));
  NOHALT_TRY(const auto fd,
             thread.call("open", SYS_open, {text.value, O_RDONLY | O_CLOEXEC, 0, 0, 0, 0}));
  const auto mapped =
      thread.call("mmap", SYS_mmap,
                  {0, kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, original.backing.offset});
  NOHALT_CHECK(thread.call("close", SYS_close, {fd, 0, 0, 0, 0, 0}));
  if (!mapped) return std::unexpected(mapped.error());
  const RuntimeAddress fresh{*mapped};
  NOHALT_TRY(const auto maps, target::read_maps(thread.process().pid()));
  PageBytes bytes{};
  const Mapping* mapping = maps.find(fresh);
  const bool same = mapping != nullptr && is_backed_by(*mapping, fresh, original.backing) &&
                    thread.memory().read(fresh, bytes) &&
                    agrees_but_for_breakpoints(bytes, original.bytes);
  if (same) return move_page(thread, fresh, original.page, false);
  NOHALT_CHECK(unmap_range(thread, {fresh, fresh + kPageSize}));
  return file_replaced(original);
}

Status prove_restored(const RemoteThread& thread, const FilePage& original) {
  NOHALT_TRY(const auto maps, target::read_maps(thread.process().pid()));
  const Mapping* mapping = maps.find(original.page);
  PageBytes live{};
  NOHALT_CHECK(thread.memory().read(original.page, live));
  if (mapping != nullptr && is_backed_by(*mapping, original.page, original.backing) &&
      agrees_but_for_breakpoints(live, original.bytes))
    return {};
  return fail(ErrorCode::kInternal, "page-not-restored",
              "A page of the target's code is not what its file says after removal.",
              "Restart the target when convenient; the probe is dormant.");
}

Result<Recovery> restore_text(RemoteThread& thread, const Maps& maps, const FilePage& original,
                              RuntimeAddress slot) {
  const Mapping* mapping = maps.find(original.page);
  if (mapping != nullptr && is_backed_by(*mapping, original.page, original.backing))
    return Recovery::kWasOriginal;
  if (holds_parked(maps, thread, original, slot)) {
    NOHALT_CHECK(move_page(thread, slot, original.page, false));
    return Recovery::kMovedBack;
  }
  NOHALT_CHECK(map_from_file(thread, original));
  return Recovery::kMappedFromFile;
}

}  // namespace

Result<Recovery> recover_page(RemoteThread& thread, RuntimeAddress page, RuntimeAddress parked) {
  const target::Process& process = thread.process();
  NOHALT_TRY(const auto maps, target::read_maps(process.pid()));
  NOHALT_TRY(const auto images, Images::read(process.pid(), maps, thread.memory()));
  const Mapping* mapping = maps.find(page);
  const auto backing = mapping != nullptr && page.value % kPageSize == 0
                           ? backing_at(maps, images, page)
                           : std::nullopt;
  const bool is_gone = mapping == nullptr || !is_ours(*mapping);
  if (!backing && is_gone) {
    if (parked.value != 0) NOHALT_CHECK(remove_slot(thread, parked));
    return Recovery::kGone;
  }
  if (!backing)
    return fail(ErrorCode::kRefused, "page-not-ours",
                "What is mapped at the page of code was not put there by nohalt.",
                "Nothing was changed.");
  NOHALT_TRY(const FilePage original, read_file_page(process, maps, page, *backing));
  NOHALT_TRY(const Recovery recovery, restore_text(thread, maps, original, parked));
  NOHALT_CHECK(prove_restored(thread, original));
  if (parked.value != 0) NOHALT_CHECK(remove_slot(thread, parked));
  return recovery;
}

Result<Leftovers> find_leftovers(const target::Process& process, const target::Memory& memory) {
  NOHALT_TRY(const auto maps, target::read_maps(process.pid()));
  NOHALT_TRY(const auto images, Images::read(process.pid(), maps, memory));
  Leftovers leftovers;
  for (const auto& mapping : maps.all()) {
    if (is_ours(mapping) && mapping.executable && backing_at(maps, images, mapping.range.begin))
      leftovers.swapped.push_back(mapping.range.begin);
    else if (is_ours(mapping))
      leftovers.slots.push_back(mapping.range.begin);
  }
  return leftovers;
}

Status remove_slot(RemoteThread& thread, RuntimeAddress slot) {
  NOHALT_TRY(const auto maps, target::read_maps(thread.process().pid()));
  NOHALT_TRY(const auto images, Images::read(thread.process().pid(), maps, thread.memory()));
  for (const RuntimeAddress at : {slot, slot + kPageSize}) {
    const Mapping* mapping = maps.find(at);
    if (mapping == nullptr || backing_at(maps, images, at)) continue;
    const bool parked_copy = mapping->range == RuntimeRange{at, at + kPageSize} &&
                             is_plain_code(*mapping) && images.is_page_of(*mapping);
    if (is_ours(*mapping) || parked_copy) NOHALT_CHECK(unmap_range(thread, {at, at + kPageSize}));
  }
  return {};
}

}  // namespace nohalt::inline_pages
