#include "probes/engines/inline/text_changes.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nohalt::engines {

namespace {

enum class Which { kWithoutStop, kAll };

bool is_on(const SitePatch& patch, const inline_pages::FilePage& page) {
  return page_floor(patch.address.value) == page.page.value;
}

// The page with the jumps of this run that lie on it.
inline_pages::PageBytes patched_page(const inline_pages::FilePage& original,
                                     std::span<const SitePatch> patches, Which which) {
  inline_pages::PageBytes bytes = original.bytes;
  for (const SitePatch& patch : patches) {
    if (!is_on(patch, original) || (patch.needs_stop() && which == Which::kWithoutStop)) continue;
    std::memcpy(bytes.data() + (patch.address - original.page), patch.bytes.data(),
                patch.bytes.size());
  }
  return bytes;
}

std::unexpected<Error> too_many_stops() {
  return fail(ErrorCode::kRefused, "too-many-stops",
              "Too many places are to be probed for which all threads have to be stopped.",
              "Probe fewer places at once.");
}

Status add_window(target::StandStillOrder& order, const SitePatch& patch) {
  if (!patch.needs_stop()) return {};
  if (order.window_count == order.windows.size() ||
      order.detour_count + patch.detours.size() > order.detours.size())
    return too_many_stops();
  order.windows[order.window_count++] = patch.window;
  for (const target::Detour& detour : patch.detours) order.detours[order.detour_count++] = detour;
  return {};
}

}  // namespace

bool TextChanges::undo() {
  bool all_out = true;
  for (const inline_pages::SwappedPage& page : std::exchange(pages_, {}))
    all_out = inline_pages::swap_out(thread_, page).has_value() && all_out;
  const auto back = inline_pages::put_back(thread_, std::exchange(texts_, {}), longest_hold_);
  return back && back->left.empty() && all_out;
}

Status TextChanges::swap(const inline_pages::FilePage& original, RuntimeAddress slot,
                         std::span<const SitePatch> patches) {
  const auto changed = patched_page(original, patches, Which::kWithoutStop);
  const auto final = patched_page(original, patches, Which::kAll);
  if (final == changed) {
    NOHALT_TRY(auto page, inline_pages::swap_in(thread_, original, slot, changed));
    pages_.push_back(std::move(page));
    return {};
  }
  NOHALT_TRY(auto open, inline_pages::swap_in_open(thread_, original, slot, changed, final));
  pages_.push_back(open.page());
  to_stop_for_.push_back({std::move(open), pages_.size() - 1});
  return {};
}

Status TextChanges::write(const inline_pages::FilePage& original,
                          std::span<const SitePatch> patches) {
  for (const SitePatch& patch : patches) {
    if (!is_on(patch, original)) continue;
    NOHALT_TRY(auto text, inline_pages::text_for(original, patch.address, patch.bytes));
    texts_.push_back(std::move(text));
  }
  return {};
}

Status TextChanges::finish(std::span<const SitePatch> patches) {
  if (to_stop_for_.empty() && texts_.empty()) return {};
  target::StandStillOrder order;
  order.longest_hold = static_cast<std::uint64_t>(longest_hold_.count()) * 1000;
  for (const Unfinished& page : to_stop_for_) {
    for (const SitePatch& patch : patches) {
      if (!patch.needs_stop() || !is_on(patch, page.open.page().original)) continue;
      if (order.patch_count == order.patches.size()) return too_many_stops();
      order.patches[order.patch_count++] = page.open.patch(patch.address, patch.bytes);
      NOHALT_CHECK(add_window(order, patch));
    }
  }
  for (const inline_pages::WrittenText& text : texts_) {
    if (order.text_patch_count == order.text_patches.size()) return too_many_stops();
    order.text_patches[order.text_patch_count++] = inline_pages::patch_of(text);
    NOHALT_CHECK(add_window(order, *std::ranges::find(patches, text.at, &SitePatch::address)));
  }
  return stand_still(order);
}

Status TextChanges::stand_still(const target::StandStillOrder& order) {
  const Status stood = thread_.stand_still(order);
  // Where that failed some of it may have been written all the same.
  for (const Unfinished& page : to_stop_for_) {
    NOHALT_TRY(pages_[page.index].installed, page.open.content());
  }
  NOHALT_CHECK(stood);
  for (const Unfinished& page : std::exchange(to_stop_for_, {})) NOHALT_CHECK(page.open.seal());
  return {};
}

std::vector<inline_pages::SwappedPage> TextChanges::keep_pages() {
  return std::exchange(pages_, {});
}

std::vector<inline_pages::WrittenText> TextChanges::keep_texts() {
  return std::exchange(texts_, {});
}

}  // namespace nohalt::engines
