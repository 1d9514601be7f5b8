// The tool's mapping of a run's control region. The target maps the same memory
// and may write anything to it at any time: callers copy once, then validate.
//
// Ownership: unmaps when it goes; the descriptor stays the caller's.
// Threading: the mapping may be used from several threads; counters are atomic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "probes/records/run_layout.h"
#include "probes/runtime/layout.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::records {

// A memfd for the layout: allocated in full, sealed against changes of size, with
// the control page and each site's fixed fields filled in and every probe off.
[[nodiscard]] Result<UniqueFd> create_control_memfd(const RunLayout& layout);

class ControlRegion {
 public:
  // Refuses with "control-size" a descriptor that is smaller than the layout or
  // could be made so, as touching it would then raise SIGBUS.
  [[nodiscard]] static Result<ControlRegion> map(int fd, RunLayout layout);

  ControlRegion(ControlRegion&& other) noexcept;
  ControlRegion& operator=(ControlRegion&& other) noexcept;
  ControlRegion(const ControlRegion&) = delete;
  ControlRegion& operator=(const ControlRegion&) = delete;
  ~ControlRegion();

  // Allocates the region in full (a hit must find its page there, not a full file
  // system) and fills in the control page and each site's fixed fields, every
  // probe off. For a region that is still all zero.
  [[nodiscard]] static Status prepare(int fd, const RunLayout& layout);

  [[nodiscard]] const RunLayout& layout() const { return layout_; }
  [[nodiscard]] runtime::ControlPage& control() const;
  // `site` is an index into layout().sites.
  [[nodiscard]] runtime::ProbeControl& probe(std::size_t site) const;
  // Empties the table of calls; those that are under way are then not seen to return.
  void forget_calls() const;
  [[nodiscard]] std::byte* slot(std::size_t site, std::size_t index) const;

 private:
  ControlRegion(std::byte* base, RunLayout layout);

  std::byte* base_ = nullptr;
  RunLayout layout_;
};

}  // namespace nohalt::records
