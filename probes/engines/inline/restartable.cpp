// Source: struct rseq_cs and the checks on it, Linux include/uapi/linux/rseq.h
// and kernel/rseq.c. The process's own bytes are read and not the file's: in a
// position-independent executable the addresses are there only once relocated.
#include "probes/engines/inline/restartable.h"

#include <cstdint>
#include <cstring>

namespace nohalt::engines {

namespace {

// The kernel wants it aligned to 32 bytes, its size.
struct Descriptor {
  std::uint32_t version = 0;
  std::uint32_t flags = 0;
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::uint64_t abort = 0;
};
static_assert(sizeof(Descriptor) == 32);

constexpr std::uint64_t kSignatureSize = 4;  // compared by the kernel, right before `abort`

}  // namespace

std::vector<LinkRange> restartable_ranges(std::span<const std::byte> descriptors, LoadBias bias) {
  std::vector<LinkRange> ranges;
  for (; descriptors.size() >= sizeof(Descriptor);
       descriptors = descriptors.subspan(sizeof(Descriptor))) {
    Descriptor found;
    std::memcpy(&found, descriptors.data(), sizeof(found));
    const LinkAddress start = bias.to_link({found.start});
    const LinkAddress restart = bias.to_link({found.abort});
    if (found.length != 0) ranges.push_back({start, start + found.length});
    if (found.abort != 0) ranges.push_back({restart - kSignatureSize, restart});
  }
  return ranges;
}

Result<std::vector<LinkRange>> read_restartable_sequences(const target::Memory& memory,
                                                          const symbols::DebugInfo& info,
                                                          LoadBias bias) {
  const auto section = info.section("__rseq_cs");
  if (!section || section->size() == 0) return std::vector<LinkRange>{};
  NOHALT_TRY(const auto bytes,
             memory.read({bias.to_runtime(section->begin), bias.to_runtime(section->end)}));
  return restartable_ranges(bytes, bias);
}

}  // namespace nohalt::engines
