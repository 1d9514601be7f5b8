// Places the regions of a run. A main chunk's size is an upper bound taken
// from its parts, since the parts' exact bytes depend on where it goes. Sites share
// one as long as it can reach them all.
#include <algorithm>
#include <set>
#include <string>

#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/engines/inline/placement/place.h"
#include "probes/engines/inline/relocate/relocate.h"
#include "probes/engines/inline/trampoline/trampoline.h"
#include "probes/runtime/runtime_blob.h"

namespace nohalt::engines {

namespace {

using inline_placement::Need;

// A jump's distance has 31 bits each way; a chunk must be reached whole.
constexpr std::uint64_t kReach = (1ULL << 31) - (1ULL << 26);
// One eBPF instruction becomes at most this much machine code, calls with
// their argument set-up included.
constexpr std::uint64_t kBytesPerInstruction = 64;
constexpr std::uint64_t kBodyFrame = 256;
// Sites whose code has less room in common than this have code of their own.
constexpr std::uint64_t kLeastCommon = 1ULL << 26;

std::uint64_t largest_code(const CodeSite& site) {
  std::uint64_t size = inline_engine::kTrampolineOverhead + kBodyFrame;
  size += site.program->code.size() * kBytesPerInstruction;
  size += inline_relocate::largest_relocation(site.chosen.window->displaced);
  if (site.chosen.window->kind == inline_sites::WindowKind::kEvicted)
    size += inline_relocate::largest_relocation({&site.chosen.window->successor, 1}) +
            runtime::kCacheLine;
  return size;
}

std::uint64_t largest_main_chunk(std::span<const CodeSite> sites,
                                 std::span<const std::size_t> members) {
  std::uint64_t size = runtime::runtime_blob().code.size() + runtime::kCacheLine;
  for (const std::size_t index : members) size += largest_code(sites[index]);
  return page_ceil(size);
}

RuntimeRange around(RuntimeAddress lowest, RuntimeAddress highest) {
  const std::uint64_t begin = highest.value > kReach ? highest.value - kReach : 0;
  return {{begin}, {lowest.value + kReach}};
}

// Narrows `reach` to where code moved from `at` can stand.
bool narrow(RuntimeRange& reach, std::span<const inline_sites::Instruction> moved,
            RuntimeAddress at) {
  const auto operands = inline_relocate::relocation_reach(moved, at);
  if (!operands) return false;
  reach.begin = std::max(reach.begin, operands->begin);
  reach.end = std::min(reach.end, operands->end);
  return true;
}

// Addresses from which the site, and what its moved code refers to, is in reach.
Result<RuntimeRange> reach_of(const CodeSite& site) {
  const inline_sites::Window& window = *site.chosen.window;
  const RuntimeAddress at = site.chosen.patched();
  RuntimeRange reach = around(at, at);
  bool good = narrow(reach, window.displaced, at);
  if (window.kind == inline_sites::WindowKind::kEvicted)
    good = good && narrow(reach, {&window.successor, 1}, site.chosen.resume());
  if (good) return reach;
  return std::unexpected(inline_sites::to_error(inline_sites::SiteRefusal::kRelocationOutOfReach));
}

struct Gathered {
  RuntimeRange reach;  // of all of them
  std::vector<std::size_t> sites;
};

// Each site joins the first cluster with which it still has addresses in common.
Result<std::vector<Gathered>> gather(std::span<const CodeSite> sites) {
  std::vector<Gathered> clusters;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    NOHALT_TRY(const RuntimeRange reach, reach_of(sites[i]));
    const auto common = [&](const RuntimeRange& other) {
      return RuntimeRange{std::max(reach.begin, other.begin), std::min(reach.end, other.end)};
    };
    const auto near = std::ranges::find_if(clusters, [&](const Gathered& cluster) {
      return cluster.reach.overlaps(reach) && common(cluster.reach).size() >= kLeastCommon;
    });
    if (near == clusters.end()) {
      clusters.push_back({reach, {i}});
    } else {
      near->reach = common(near->reach);
      near->sites.push_back(i);
    }
  }
  return clusters;
}

RuntimeRange starts_within(const RuntimeRange& reach, std::uint64_t size) {
  const RuntimeAddress end = reach.size() > size ? reach.end - size : reach.begin;
  return {reach.begin, end};
}

Need region_need(const RuntimeRange& reach, std::uint64_t size, RuntimeAddress near) {
  return {{starts_within(reach, size)}, size, kPageSize, near};
}

// The widest form whose reach has room, and whether it needs a springboard.
std::optional<RunPlaces::Entry> choose_form(const TargetView& view, const CodeSite& site) {
  const inline_sites::Window& window = *site.chosen.window;
  const RuntimeAddress at = site.chosen.patched();
  const RuntimeAddress after = site.chosen.resume();
  for (const inline_sites::JumpForm& form : window.forms) {
    if (form.free_bytes == 4) return RunPlaces::Entry{{}, form, false, {}};
    if (has_springboard_room(view, form, at)) return RunPlaces::Entry{{}, form, true, {}};
  }
  for (const inline_sites::Eviction& pair : window.evictions) {
    if (has_springboard_room(view, pair.first, at) &&
        has_springboard_room(view, pair.second, after))
      return RunPlaces::Entry{{}, pair.first, true, RunPlaces::Entry::Second{{}, pair.second}};
  }
  return std::nullopt;
}

Need springboard_need(const inline_sites::JumpForm& form, RuntimeAddress at) {
  const inline_sites::Spacing apart = inline_sites::spacing(form, at);
  return {
      {*inline_sites::reachable(form, at)}, kSpringboardSize, apart.alignment, at, apart.remainder};
}

// The springboards of one site, in the order in which set_landings() takes them.
void add_springboards(std::vector<Need>& needs, const CodeSite& site,
                      const RunPlaces::Entry& entry) {
  if (entry.springboard) needs.push_back(springboard_need(entry.form, site.chosen.patched()));
  if (entry.second) needs.push_back(springboard_need(entry.second->form, site.chosen.resume()));
}

void set_landings(std::span<RunPlaces::Entry> entries, std::span<const RuntimeAddress> landings) {
  std::size_t next = 0;
  for (RunPlaces::Entry& entry : entries) {
    if (entry.springboard) entry.landing = landings[next++];
    if (entry.second) entry.second->landing = landings[next++];
  }
}

// Control region and gate page come first among the needs, then the slots of the
// pages, then the clusters' code.
constexpr std::size_t kFixedRegions = 2;

// What is left of the regions when those of data are taken out. Data takes whole
// pages, so the rest does too.
std::vector<RuntimeRange> code_regions(std::vector<RuntimeRange> regions,
                                       std::span<const RuntimeRange> data) {
  for (const RuntimeRange& hole : data) {
    std::vector<RuntimeRange> left;
    for (const RuntimeRange& region : regions) {
      if (!region.overlaps(hole)) {
        left.push_back(region);
        continue;
      }
      if (region.begin < hole.begin) left.push_back({region.begin, hole.begin});
      if (hole.end < region.end) left.push_back({hole.end, region.end});
    }
    regions = std::move(left);
  }
  return regions;
}

std::vector<RuntimeAddress> pages_of(std::span<const CodeSite> sites) {
  std::set<RuntimeAddress> pages;
  for (const CodeSite& site : sites) pages.insert({page_floor(site.chosen.patched().value)});
  return {pages.begin(), pages.end()};
}

// Its library may be unloaded, so that it is not swapped.
bool is_written_in_place(const TargetView& view, std::span<const CodeSite> sites,
                         RuntimeAddress page) {
  return std::ranges::any_of(sites, [&](const CodeSite& site) {
    return page_floor(site.chosen.patched().value) == page.value &&
           !view.images[site.chosen.image].is_lasting;
  });
}

std::unexpected<Error> no_room_for_site() {
  return std::unexpected(inline_sites::to_error(inline_sites::SiteRefusal::kNoTrampolineRoom));
}

std::unexpected<Error> no_room() {
  return fail(ErrorCode::kRefused, "no-room",
              "There is no free address range near the target's text for the probe's code.",
              "Probe fewer places at once. A kernel uprobe (bpftrace, perf probe) can still watch "
              "this program.");
}

}  // namespace

Result<RunPlaces> place_run(const TargetView& view, std::span<const CodeSite> sites,
                            std::uint64_t control_size) {
  RunPlaces places;
  NOHALT_TRY(const std::vector<Gathered> gathered, gather(sites));
  const RuntimeAddress near = sites[0].chosen.patched();
  std::vector<Need> needs{region_need(around(near, near), control_size, near),
                          region_need(around(near, near), kPageSize, near)};
  places.pages = pages_of(sites);
  for (const RuntimeAddress page : places.pages) {
    const bool in_place = is_written_in_place(view, sites, page);
    places.slots.push_back(in_place ? inline_pages::kWrittenInPlace : RuntimeAddress{});
    if (!in_place) needs.push_back(region_need(around(page, page), inline_pages::kSlotSize, page));
  }
  for (const Gathered& cluster : gathered)
    needs.push_back(region_need(cluster.reach, largest_main_chunk(sites, cluster.sites),
                                sites[cluster.sites.front()].chosen.patched()));
  for (const CodeSite& site : sites) {
    const auto entry = choose_form(view, site);
    if (!entry) return no_room_for_site();
    places.entries.push_back(*entry);
    add_springboards(needs, site, *entry);
  }
  const auto placed = inline_placement::place(view.space, needs);
  const auto swapped = static_cast<std::size_t>(std::ranges::count(places.slots, RuntimeAddress{}));
  const std::size_t first_cluster = kFixedRegions + swapped;
  const std::size_t whole_regions = first_cluster + gathered.size();
  if (!placed) return placed.error() < whole_regions ? no_room() : no_room_for_site();
  places.control = {placed->addresses[0], placed->addresses[0] + control_size};
  places.gate = placed->addresses[1];
  std::vector<RuntimeRange> data{places.control, {places.gate, places.gate + kPageSize}};
  std::size_t next = kFixedRegions;
  for (RuntimeAddress& slot : places.slots) {
    if (slot == inline_pages::kWrittenInPlace) continue;
    slot = placed->addresses[next++];
    data.push_back({slot, slot + inline_pages::kSlotSize});
  }
  for (std::size_t i = 0; i < gathered.size(); ++i) {
    const RuntimeAddress code = placed->addresses[first_cluster + i];
    places.clusters.push_back({{code, code + needs[first_cluster + i].size}, gathered[i].sites});
  }
  places.chunks = code_regions(placed->regions, data);
  set_landings(places.entries, std::span(placed->addresses).subspan(whole_regions));
  return places;
}

}  // namespace nohalt::engines
