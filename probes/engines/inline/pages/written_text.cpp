// Which jumps are ours is told by where they lead: into a mapping that the kernel's
// list names as nohalt's.
#include "probes/engines/inline/pages/written_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace nohalt::inline_pages {

using target::Mapping;
using target::Maps;
using target::RemoteThread;

namespace {

constexpr std::uint8_t kMostPrefixes = 3;
constexpr std::uint64_t kJump = 5;
constexpr std::byte kJumpOpcode{0xe9};

bool is_plain_code(const Mapping& mapping) {
  return mapping.readable && mapping.executable && !mapping.writable && !mapping.shared &&
         !mapping.anonymous();
}

Backing backing_of(const Mapping& mapping, RuntimeAddress page) {
  return {mapping.file, mapping.path, mapping.offset + (page - mapping.range.begin), false};
}

bool is_mapped(const WrittenText& text, const Maps& maps) {
  const RuntimeAddress page{page_floor(text.at.value)};
  const Mapping* mapping = maps.find(page);
  if (mapping == nullptr || !is_plain_code(*mapping)) return false;
  const Backing now = backing_of(*mapping, page);
  return now.file == text.backing.file && now.offset == text.backing.offset;
}

std::string changed_by_other(RuntimeAddress at) {
  return fmt::format(
      "Another tool has changed the code at {:#x}, where a probe is; the probe is dormant. Remove "
      "the other tool's breakpoint, then run `nohalt sweep`.",
      at.value);
}

void add_once(std::vector<std::string>& to, const std::string& text) {
  if (std::ranges::find(to, text) == to.end()) to.push_back(text);
}

// Writes back what is still there of so many as one order holds. The library may go
// between the look and the stop; then it is looked at again.
Status put_back_some(RemoteThread& thread, std::span<const WrittenText> texts,
                     std::chrono::microseconds longest_hold, PutBack& result) {
  constexpr int kTries = 5;
  for (int tries = 1;; ++tries) {
    NOHALT_TRY(const Maps maps, target::read_maps(thread.process().pid()));
    target::StandStillOrder order;
    order.longest_hold = static_cast<std::uint64_t>(longest_hold.count()) * 1000;
    for (const WrittenText& text : texts) {
      const TextState state = state_of(text, maps, thread.memory());
      if (state == TextState::kGone) add_once(result.unloaded, text.backing.path);
      if (state == TextState::kChanged) add_once(result.left, changed_by_other(text.at));
      if (state != TextState::kInstalled) continue;
      target::TextPatch& patch = order.text_patches[order.text_patch_count++];
      patch = patch_of(text);
      std::swap(patch.before, patch.after);
    }
    if (order.text_patch_count == 0) return {};
    const Status stood = thread.stand_still(order);
    if (stood) result.restored += order.text_patch_count;
    if (stood || stood.error().reason != "text-changed" || tries == kTries) return stood;
  }
}

// Where a jump that begins there leads, whatever prefixes it has.
std::optional<RuntimeAddress> jump_target(const PageBytes& page, RuntimeAddress begin,
                                          std::uint64_t at) {
  for (std::uint64_t head = at; head <= at + kMostPrefixes; ++head) {
    if (head + kJump > page.size()) return std::nullopt;
    if (page[head] != kJumpOpcode) continue;
    std::int32_t distance = 0;
    std::memcpy(&distance, page.data() + head + 1, sizeof distance);
    return RuntimeAddress{(begin + head + kJump).value + static_cast<std::uint64_t>(distance)};
  }
  return std::nullopt;
}

bool leads_to_ours(const Maps& maps, const std::optional<RuntimeAddress>& to) {
  const Mapping* mapping = to ? maps.find(*to) : nullptr;
  return mapping != nullptr && mapping->executable &&
         mapping->path == std::string("/memfd:") + runtime::kCodeName;
}

// Of one page that was written to; `sites` are those on it, ascending.
class PageSearch {
 public:
  PageSearch(const Maps& maps, const FilePage& file, const PageBytes& live)
      : maps_(maps), file_(file), live_(live) {}

  // What is written at this site, and nothing of the next one.
  [[nodiscard]] std::optional<WrittenText> at(RuntimeAddress site, std::uint64_t end) const {
    const std::uint64_t begin = site - file_.page;
    std::uint64_t last = begin;
    for (std::uint64_t i = begin; i < std::min(end, begin + target::kLongestTextPatch); ++i)
      if (live_[i] != file_.bytes[i]) last = i + 1;
    if (last == begin) return std::nullopt;
    const auto part = [&](const PageBytes& bytes) {
      return std::vector<std::byte>(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(last));
    };
    return WrittenText{site, file_.backing, part(file_.bytes), part(live_)};
  }
  [[nodiscard]] bool is_ours(RuntimeAddress site) const {
    return leads_to_ours(maps_, jump_target(live_, file_.page, site - file_.page));
  }

 private:
  const Maps& maps_;
  const FilePage& file_;
  const PageBytes& live_;
};

std::vector<RuntimeAddress> sites_on(const runtime::ControlPage& claims, RuntimeAddress page) {
  std::vector<RuntimeAddress> sites;
  for (std::uint64_t i = 0; i < claims.site_count; ++i)
    if (page_floor(claims.site_addresses[i]) == page.value)
      sites.push_back({claims.site_addresses[i]});
  std::ranges::sort(sites);
  return sites;
}

}  // namespace

Result<FilePage> prove_text_page(const target::Process& process, const target::Memory& memory,
                                 RuntimeAddress page) {
  NOHALT_TRY(const Maps maps, target::read_maps(process.pid()));
  const Mapping* mapping = maps.find(page);
  if (mapping == nullptr || !is_plain_code(*mapping))
    return fail(ErrorCode::kRefused, "not-code", "The page is not mapped as plain code (r-xp).",
                "The library may just have been unloaded: look again with `nohalt plan`.");
  NOHALT_TRY(FilePage file, read_file_page(process, maps, page, backing_of(*mapping, page)));
  PageBytes live{};
  NOHALT_CHECK(memory.read(page, live));
  if (live == file.bytes) return file;
  return fail(ErrorCode::kRefused, "page-differs-from-file",
              "The code in memory is not what its file says: another tool has changed it.",
              "Remove the other tool's breakpoint, uprobe or hot patch first.");
}

Result<WrittenText> text_for(const FilePage& page, RuntimeAddress at,
                             std::span<const std::uint8_t> bytes) {
  const std::uint64_t offset = at - page.page;
  if (bytes.size() > target::kLongestTextPatch || offset + bytes.size() > kPageSize)
    return fail(ErrorCode::kInternal, "page-boundary",
                "The jumps at one place are longer than can be written at once.",
                "Choose another line.");
  const auto after = std::as_bytes(bytes);
  const auto before = std::span(page.bytes).subspan(offset, bytes.size());
  return WrittenText{
      at, page.backing, {before.begin(), before.end()}, {after.begin(), after.end()}};
}

target::TextPatch patch_of(const WrittenText& text) {
  target::TextPatch patch;
  patch.at = text.at;
  patch.file = text.backing.file;
  patch.offset = text.backing.offset + (text.at.value - page_floor(text.at.value));
  patch.size = static_cast<std::uint32_t>(text.after.size());
  std::ranges::copy(text.before, patch.before.begin());
  std::ranges::copy(text.after, patch.after.begin());
  return patch;
}

TextState state_of(const WrittenText& text, const Maps& maps, const target::Memory& memory) {
  if (!is_mapped(text, maps)) return TextState::kGone;
  std::vector<std::byte> live(text.after.size());
  if (!memory.read(text.at, live) || live == text.before) return TextState::kGone;
  return live == text.after ? TextState::kInstalled : TextState::kChanged;
}

Result<PutBack> put_back(RemoteThread& thread, std::span<const WrittenText> texts,
                         std::chrono::microseconds longest_hold) {
  PutBack result;
  while (!texts.empty()) {
    const auto some = texts.first(std::min(texts.size(), target::kMostWindows));
    NOHALT_CHECK(put_back_some(thread, some, longest_hold, result));
    texts = texts.subspan(some.size());
  }
  return result;
}

Result<std::vector<WrittenText>> find_written(const target::Process& process,
                                              const target::Memory& memory,
                                              const runtime::ControlPage& claims,
                                              std::vector<std::string>& left) {
  NOHALT_TRY(const Maps maps, target::read_maps(process.pid()));
  std::vector<WrittenText> found;
  for (std::uint32_t i = 0; i < claims.page_count; ++i) {
    const RuntimeAddress page{claims.pages[i].page};
    if (claims.pages[i].slot != kWrittenInPlace.value || page.value % kPageSize != 0) continue;
    const Mapping* mapping = maps.find(page);
    PageBytes live{};
    // Unloaded: what was written went with it.
    if (mapping == nullptr || !is_plain_code(*mapping) || !memory.read(page, live)) continue;
    const auto file = read_file_page(process, maps, page, backing_of(*mapping, page));
    if (!file) {
      left.push_back(file.error().message);
      continue;
    }
    const PageSearch search(maps, *file, live);
    const auto sites = sites_on(claims, page);
    for (std::size_t s = 0; s < sites.size(); ++s) {
      const auto text = search.at(sites[s], s + 1 < sites.size() ? sites[s + 1] - page : kPageSize);
      if (!text) continue;
      if (search.is_ours(sites[s]))
        found.push_back(*text);
      else
        left.push_back(changed_by_other(sites[s]));
    }
  }
  return found;
}

}  // namespace nohalt::inline_pages
