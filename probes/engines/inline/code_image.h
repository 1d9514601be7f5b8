// All the code of one run as bytes for the addresses they will have: the
// runtime, and for each site its translated program and trampoline in one main
// chunk, or in several where files with sites are far apart; and the springboards that punned jumps
// land on, each where its jump leads. Where a second instruction was evicted, it has its own moved
// copy in the main chunk, without a probe, and its own springboard.
//
// Placing comes first, since the code is written for its addresses. Pure: no
// process is involved.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "probes/engines/inline/planner.h"
#include "probes/program/program.h"
#include "probes/records/run_layout.h"
#include "probes/runtime/layout.h"
#include "probes/target/stand_still.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct CodeSite {
  ChosenSite chosen;  // with a window
  const program::Program* program = nullptr;
  // The first site of the same probe: its control block, with the rate and the
  // counters, serves all of them. Index into the run's sites.
  std::uint32_t leader = 0;
  // Where the site's program opens or closes calls: the first site of their probe.
  std::uint32_t calls_of = 0;
};

// Where everything of a run goes in the target.
struct RunPlaces {
  RuntimeRange control;  // the control region
  RuntimeAddress gate;   // the gate page
  // Code has to be within a jump of its sites, and those may lie in several files.
  struct Cluster {
    RuntimeRange code;
    std::vector<std::size_t> sites;
  };
  std::vector<Cluster> clusters;     // of all sites
  std::vector<RuntimeRange> chunks;  // code regions to map, the clusters' among them
  // The text pages that hold sites, ascending, and a slot for each (pages/page_swap.h),
  // or kWrittenInPlace (pages/written_text.h).
  std::vector<RuntimeAddress> pages;
  std::vector<RuntimeAddress> slots;
  struct Entry {
    RuntimeAddress landing;  // where the site's jump leads; empty: to its trampoline
    inline_sites::JumpForm form;
    bool springboard = false;
    // kEvicted: the jump over the second instruction, always by a springboard.
    struct Second {
      RuntimeAddress landing;
      inline_sites::JumpForm form;
    };
    std::optional<Second> second;
  };
  std::vector<Entry> entries;  // one a site
};

// Reason: no-trampoline-room (names the site), no-room.
[[nodiscard]] Result<RunPlaces> place_run(const TargetView& view, std::span<const CodeSite> sites,
                                          std::uint64_t control_size);

struct CodeChunk {
  RuntimeRange range;  // whole pages
  std::vector<std::byte> bytes;
};

// What a site's page gets: one jump, or two back to back.
struct SitePatch {
  RuntimeAddress address;
  std::vector<std::uint8_t> bytes;
  // kSeveral: nobody may be between the displaced instructions when this is written.
  // For each place between them, the one in the moved copy.
  RuntimeRange window;
  std::vector<target::Detour> detours;
  [[nodiscard]] bool needs_stop() const { return !detours.empty(); }
};

struct CodeImage {
  std::vector<CodeChunk> chunks;
  std::vector<SitePatch> patches;  // one a site
};

// What is known of the target only once a thread was borrowed.
struct TargetConstants {
  std::uint32_t tid_offset = 0;
  std::int32_t own_pid = 0;  // as its own pid namespace numbers it
};

[[nodiscard]] Result<CodeImage> build_code(const TargetView& view, const RunPlaces& places,
                                           std::span<const CodeSite> sites,
                                           const records::RunLayout& layout,
                                           const TargetConstants& constants);

}  // namespace nohalt::engines
