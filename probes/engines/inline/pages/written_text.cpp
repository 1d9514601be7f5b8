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
struct Jump {
  RuntimeAddress to;
  std::uint64_t size = 0;
};
std::optional<Jump> jump_at(std::span<const std::byte> bytes, RuntimeAddress at) {
  for (std::uint64_t head = 0; head <= kMostPrefixes && head + kJump <= bytes.size(); ++head) {
    if (bytes[head] != kJumpOpcode) continue;
    std::int32_t distance = 0;
    std::memcpy(&distance, bytes.data() + head + 1, sizeof distance);
    return Jump{{(at + head + kJump).value + static_cast<std::uint64_t>(distance)}, head + kJump};
  }
  return std::nullopt;
}

bool leads_to_ours(const Maps& maps, const std::optional<Jump>& jump) {
  const Mapping* mapping = jump ? maps.find(jump->to) : nullptr;
  return mapping != nullptr && mapping->executable &&
         mapping->path == std::string("/memfd:") + runtime::kCodeName;
}

// Of one page that was written to; `sites` are those on it, ascending.
class PageSearch {
 public:
  PageSearch(const Maps& maps, const FilePage& file, const PageBytes& live)
      : maps_(maps), file_(file), live_(live) {}

  // What is written at this site, and nothing of the next one: its jumps into our code. What
  // else differs from the file there is somebody else's.
  [[nodiscard]] std::optional<WrittenText> at(RuntimeAddress site, std::uint64_t end) const {
    const std::uint64_t begin = site - file_.page;
    const std::uint64_t beyond = std::min(end, begin + target::kLongestTextPatch);
    std::uint64_t last = begin;
    for (std::uint64_t i = begin; i < beyond; ++i) {
      if (live_[i] == file_.bytes[i]) continue;
      const std::uint64_t known = last;
      for (std::uint64_t from = known; from <= i && last <= i; ++from)
        if (is_ours(from)) last = from + jump(from)->size;
      if (last <= i) break;
    }
    last = std::min(last, beyond);
    if (last == begin) return std::nullopt;
    const auto part = [&](const PageBytes& bytes) {
      return std::vector<std::byte>(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(last));
    };
    return WrittenText{site, file_.backing, part(file_.bytes), part(live_)};
  }
  // Whether something differs from the file there.
  [[nodiscard]] bool is_changed(RuntimeAddress site, std::uint64_t end) const {
    const std::uint64_t begin = site - file_.page;
    const std::uint64_t size = std::min(end - begin, target::kLongestTextPatch);
    return !std::ranges::equal(std::span(live_).subspan(begin, size),
                               std::span(file_.bytes).subspan(begin, size));
  }

 private:
  [[nodiscard]] std::optional<Jump> jump(std::uint64_t offset) const {
    return jump_at(std::span(live_).subspan(offset), file_.page + offset);
  }
  [[nodiscard]] bool is_ours(std::uint64_t offset) const {
    return leads_to_ours(maps_, jump(offset));
  }

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

// The target may change its own mapping (mprotect, a copy of its text in larger pages), and
// then our jump is in another one: it counts as gone only where no byte of ours is there.
TextState state_of(const WrittenText& text, const Maps& maps, const target::Memory& memory) {
  if (maps.find(text.at) == nullptr) return TextState::kGone;
  std::vector<std::byte> live(text.after.size());
  if (!memory.read(text.at, live)) return TextState::kChanged;
  if (live == text.before) return TextState::kGone;
  if (is_mapped(text, maps))
    return live == text.after ? TextState::kInstalled : TextState::kChanged;
  return leads_to_ours(maps, jump_at(live, text.at)) ? TextState::kChanged : TextState::kGone;
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
    if (mapping == nullptr) continue;  // unloaded: what was written went with it
    NOHALT_CHECK(memory.read(page, live));
    const auto sites = sites_on(claims, page);
    if (!is_plain_code(*mapping)) {
      for (const RuntimeAddress site : sites)
        if (leads_to_ours(maps, jump_at(std::span(live).subspan(site - page), site)))
          left.push_back(changed_by_other(site));
      continue;
    }
    const auto file = read_file_page(process, maps, page, backing_of(*mapping, page));
    if (!file) {
      left.push_back(file.error().message);
      continue;
    }
    const PageSearch search(maps, *file, live);
    for (std::size_t s = 0; s < sites.size(); ++s) {
      const std::uint64_t end = s + 1 < sites.size() ? sites[s + 1] - page : kPageSize;
      const auto text = search.at(sites[s], end);
      if (text)
        found.push_back(*text);
      else if (search.is_changed(sites[s], end))
        left.push_back(changed_by_other(sites[s]));
    }
  }
  return found;
}

}  // namespace nohalt::inline_pages
