#include "probes/records/run_layout.h"

#include <algorithm>
#include <bit>
#include <string>

#include "probes/runtime/layout.h"
#include "src/base/address.h"

namespace nohalt::records {

namespace {

constexpr std::uint64_t kFewestSlots = 8;
constexpr std::uint64_t kMostSlotBytes = 8 * 1024 * 1024;

std::uint32_t slot_count(const SiteNeeds& needs, std::uint64_t slot_size) {
  const std::uint64_t most = std::bit_floor(kMostSlotBytes / slot_size);
  const std::uint64_t burst = std::min(needs.hits_per_second, kGrantAtOnce);
  const std::uint64_t wanted =
      std::bit_ceil(std::min(std::max(needs.hits_per_second / 3, burst), most));
  return static_cast<std::uint32_t>(std::clamp(wanted, kFewestSlots, most));
}

}  // namespace

Result<RunLayout> plan_layout(std::uint64_t generation, std::span<const SiteNeeds> sites) {
  if (sites.size() > runtime::kMaxProbes)
    return fail(
        ErrorCode::kRefused, "too-many-sites",
        "One run has at most " + std::to_string(runtime::kMaxProbes) + " sites in a target.",
        "Name fewer places, or use several runs.");
  RunLayout layout{.generation = generation, .region_size = runtime::kSlotsStart, .sites = {}};
  for (const SiteNeeds& needs : sites) {
    if (needs.body_size > runtime::kMaxRecordBody)
      return fail(ErrorCode::kRefused, "record-too-large",
                  "A record would hold " + std::to_string(needs.body_size) + " bytes.",
                  "Capture fewer or smaller values.");
    constexpr std::uint64_t kLine = runtime::kCacheLine;
    const std::uint64_t slot_size =
        (sizeof(runtime::RecordHeader) + needs.body_size + kLine - 1) / kLine * kLine;
    SiteLayout site{.site = static_cast<std::uint32_t>(layout.sites.size()),
                    .body_size = needs.body_size,
                    .slot_size = static_cast<std::uint32_t>(slot_size),
                    .slot_count = slot_count(needs, slot_size),
                    .slots_offset = layout.region_size};
    layout.region_size = page_ceil(layout.region_size + slot_size * site.slot_count);
    layout.sites.push_back(site);
  }
  return layout;
}

}  // namespace nohalt::records
