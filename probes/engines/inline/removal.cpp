// Names are nohalt's by the kernel's list of mappings; the gate page has none and
// is known by the flag that nothing but such a page has or, before it has the flag,
// by its protection (pages/region.cpp).
#include "probes/engines/inline/removal.h"

#include <fmt/format.h>

#include <chrono>
#include <string_view>

#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/jumps_into.h"
#include "probes/engines/inline/pages/region.h"
#include "probes/target/drain.h"

namespace nohalt::engines {

namespace {

constexpr std::chrono::milliseconds kDrainPatience{2000};

bool is_ours(const target::Maps& maps, const RuntimeRange& range) {
  const target::Mapping* mapping = maps.find(range.begin);
  return mapping != nullptr && mapping->range == range && is_named_ours(*mapping);
}

Status remove_gate(target::RemoteThread& thread, const target::Maps& maps, RuntimeAddress gate) {
  const target::Mapping* mapping = maps.find(gate);
  if (mapping == nullptr || !mapping->anonymous() ||
      mapping->range != RuntimeRange{gate, gate + kPageSize})
    return {};
  NOHALT_TRY(const auto facts, target::read_mapping_facts(thread.process().pid(), gate));
  constexpr std::string_view kWipeOnFork = "wf";
  const bool unmarked = mapping->writable && !mapping->readable;
  if (!unmarked && !facts.has_flag(kWipeOnFork)) return {};
  return inline_pages::unmap_range(thread, mapping->range);
}

}  // namespace

std::string code_stays(const std::string& who) {
  return "The probe's code stays mapped, dormant: " + who + (who.ends_with('.') ? "" : ".") +
         " `nohalt sweep` removes it later.";
}

Result<std::optional<std::string>> remove_regions(target::RemoteThread& thread,
                                                  const RunRegions& regions) {
  NOHALT_TRY(const target::Maps maps, target::read_maps(thread.process().pid()));
  std::vector<RuntimeRange> code = regions.code;
  std::erase_if(code, [&](const RuntimeRange& range) { return !is_ours(maps, range); });
  NOHALT_TRY(const auto jump, find_jump_into(thread.process(), thread.memory(), maps, code));
  if (jump) return fmt::format("the code at {:#x} still jumps into it", jump->value);
  NOHALT_TRY(auto who, target::wait_until_left(thread, code, kDrainPatience));
  if (who) return who;
  for (const RuntimeRange& range : code) NOHALT_CHECK(inline_pages::unmap_range(thread, range));
  NOHALT_CHECK(remove_gate(thread, maps, regions.gate));
  if (is_ours(maps, regions.control))
    NOHALT_CHECK(inline_pages::unmap_range(thread, regions.control));
  return std::nullopt;
}

}  // namespace nohalt::engines
