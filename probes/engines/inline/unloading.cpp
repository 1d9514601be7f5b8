#include "probes/engines/inline/unloading.h"

#include <algorithm>

namespace nohalt::engines {

namespace {

// Of the first segment, which may be shorter.
constexpr std::uint64_t kLongestBeginning = kPageSize;
constexpr std::uint64_t kShortestBeginning = 64;  // the ELF header

bool is_as_in_file(const MappedImage& image, const target::Memory& memory, LinkAddress at,
                   std::uint64_t size) {
  const auto file = image.info->read_bytes(at, size);
  const RuntimeAddress begin = image.bias.to_runtime(at);
  const auto live = memory.read({begin, begin + size});
  return file && live && std::ranges::equal(std::as_bytes(std::span(*file)), *live);
}

bool begins_as_its_file(const MappedImage& image, const target::Memory& memory) {
  const LinkAddress begin = image.info->first_address();
  std::uint64_t size = kLongestBeginning;
  while (size > kShortestBeginning && !image.info->read_bytes(begin, size)) size /= 2;
  return is_as_in_file(image, memory, begin, size);
}

}  // namespace

bool are_unloaded(const target::Process& process, const target::Memory& memory,
                  std::span<const inline_pages::WrittenText> texts) {
  if (texts.empty()) return false;
  const auto maps = target::read_maps(process.pid());
  return maps && std::ranges::all_of(texts, [&](const inline_pages::WrittenText& text) {
           return state_of(text, *maps, memory) == inline_pages::TextState::kGone;
         });
}

bool none_installed(std::span<const inline_pages::WrittenText> texts, const target::Maps& maps,
                    const target::Memory& memory) {
  return std::ranges::none_of(texts, [&](const inline_pages::WrittenText& text) {
    return state_of(text, maps, memory) != inline_pages::TextState::kGone;
  });
}

Status check_libraries(const TargetView& view, const target::Memory& memory, const RunToArm& run) {
  for (const SiteToArm& site : run.sites) {
    const MappedImage& image = view.images[site.file];
    if (image.is_lasting) continue;
    const LinkRange& function = site.line.function_range;
    if (begins_as_its_file(image, memory) &&
        is_as_in_file(image, memory, function.begin, function.size()))
      continue;
    return fail(ErrorCode::kRefused, "library-changed",
                "The library with the place is not the one any more that was looked at.",
                "It was unloaded, or another tool changes its code: run the command again.");
  }
  return {};
}

}  // namespace nohalt::engines
