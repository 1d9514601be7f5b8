// Lays the code down: runtime, then each site's trampoline (which carries its
// constants and body) and the copy of what it evicted, then the springboards.
// What is left of a page is int3,
// so that a stray jump stops at once instead of running on.
#include "probes/engines/inline/code_image.h"

#include <algorithm>
#include <cstring>

#include "probes/engines/inline/relocate/emitter.h"
#include "probes/engines/inline/relocate/relocate.h"
#include "probes/engines/inline/trampoline/trampoline.h"
#include "probes/engines/inline/translate/translate.h"
#include "probes/program/opcode.h"
#include "probes/runtime/runtime_blob.h"

namespace nohalt::engines {

namespace {

using runtime::RuntimeEntry;

constexpr std::byte kTrap{0xcc};
constexpr std::size_t kProgram = 0;  // among the view's images
constexpr std::uint64_t kCodeAlignment = runtime::kCacheLine;

std::uint64_t aligned(std::uint64_t value) {
  return (value + kCodeAlignment - 1) & ~(kCodeAlignment - 1);
}

class ImageBuilder {
 public:
  ImageBuilder(const TargetView& view, const RunPlaces& places, const records::RunLayout& layout,
               const TargetConstants& constants)
      : view_(view), places_(places), layout_(layout), constants_(constants) {
    image_.patches.resize(places.entries.size());
    for (const RuntimeRange& range : places.chunks) {
      image_.chunks.push_back({range, std::vector<std::byte>(range.size(), kTrap)});
    }
  }

  Status add_cluster(const RunPlaces::Cluster& cluster, std::span<const CodeSite> sites) {
    next_ = cluster.code.begin;
    NOHALT_CHECK(add_runtime());
    for (const std::size_t index : cluster.sites) NOHALT_CHECK(add_site(sites[index], index));
    return {};
  }

  CodeImage take() { return std::move(image_); }

 private:
  Status add_runtime() {
    const auto& blob = runtime::runtime_blob();
    NOHALT_CHECK(write(next_, blob.code));
    for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i] = next_ + blob.offsets[i];
    advance(blob.code.size());
    return {};
  }

  Status add_site(const CodeSite& site, std::size_t index) {
    const RuntimeAddress trampoline = next_;
    NOHALT_TRY(const auto built, inline_engine::build_trampoline(spec_of(site, index, trampoline)));
    NOHALT_CHECK(write(trampoline, built.bytes));
    advance(built.bytes.size());
    NOHALT_CHECK(add_patch(site, index, trampoline));
    return add_detours(site, index, built.displaced);
  }

  [[nodiscard]] runtime::SiteConstants constants_of(const CodeSite& site, std::size_t index) const {
    const records::SiteLayout& slots = layout_.sites[index];
    const auto in_control = [&](std::uint64_t offset) { return places_.control.begin + offset; };
    runtime::SiteConstants constants{};
    constants.probe = target_pointer<runtime::ProbeControl>(
        in_control(runtime::kProbesStart + site.leader * sizeof(runtime::ProbeControl)));
    constants.control = target_pointer<runtime::ControlPage>(places_.control.begin);
    constants.slots = target_pointer<std::uint8_t>(in_control(slots.slots_offset));
    constants.slot_mask = slots.slot_count - 1;
    constants.generation = layout_.generation;
    constants.slot_size = slots.slot_size;
    constants.body_size = slots.body_size;
    constants.site = slots.site;
    constants.tid_offset = constants_.tid_offset;
    constants.own_pid = constants_.own_pid;
    constants.calls_of = site.calls_of;
    const auto ranges = static_ranges(site.chosen.image);
    std::copy(ranges.begin(), ranges.end(), constants.static_ranges);
    return constants;
  }

  // A pointer of the target's, which the tool never follows.
  template <class T>
  static T* target_pointer(RuntimeAddress address) {
    return reinterpret_cast<T*>(address.value);
  }

  // Of its own file first, as there is room for few.
  [[nodiscard]] std::vector<runtime::StaticRange> static_ranges(std::size_t site_image) const {
    std::vector<runtime::StaticRange> ranges;
    for (const std::size_t image : {site_image, kProgram})
      for (const RuntimeRange& data : view_.images[image].data)
        if (ranges.size() < runtime::kMaxStaticRanges &&
            std::ranges::none_of(ranges, [&](const runtime::StaticRange& range) {
              return range.begin == data.begin.value;
            }))
          ranges.push_back({data.begin.value, data.end.value});
    return ranges;
  }

  [[nodiscard]] inline_engine::TrampolineSpec spec_of(const CodeSite& site, std::size_t index,
                                                      RuntimeAddress position) const {
    const inline_sites::Window& window = *site.chosen.window;
    const RuntimeAddress at = site.chosen.patched();
    inline_engine::TrampolineSpec spec;
    spec.position = position;
    spec.site = site.chosen.behind ? site.chosen.resume() : at;
    spec.behind = site.chosen.behind;
    spec.gate = places_.gate;
    spec.entries = entries_;
    spec.constants = constants_of(site, index);
    spec.xmm_count = site.program->needs_xmm ? 16 : 0;
    spec.resume = site.chosen.resume();
    spec.body = [this, &site](
                    RuntimeAddress where,
                    const runtime::RuntimeEntries& entries) -> Result<inline_engine::BodyCode> {
      NOHALT_TRY(auto body, inline_translate::translate(
                                *site.program, surroundings(where, entries, site.chosen.image)));
      inline_engine::BodyCode code(std::move(body.code));
      code.stack_bytes = body.stack_bytes;
      code.registers = body.registers;
      code.xmm_count = body.xmm_count;
      code.calls_runtime = body.calls_runtime;
      code.is_admitted = body.is_admitted;
      return code;
    };
    spec.displaced = [&window, at, goes_back = !site.chosen.behind](
                         RuntimeAddress where) -> Result<inline_engine::CodeBytes> {
      auto moved = inline_relocate::relocate(window.displaced, at, where, goes_back);
      if (!moved) return std::unexpected(inline_sites::to_error(moved.error()));
      inline_engine::CodeBytes bytes(moved->bytes.size());
      std::memcpy(bytes.data(), moved->bytes.data(), bytes.size());
      return bytes;
    };
    return spec;
  }

  [[nodiscard]] inline_translate::Surroundings surroundings(RuntimeAddress where,
                                                            const runtime::RuntimeEntries& entries,
                                                            std::size_t site_image) const {
    inline_translate::Surroundings around;
    around.load_address = where;
    around.entries = entries;
    around.static_ranges = static_ranges(site_image);
    return around;
  }

  Status add_patch(const CodeSite& site, std::size_t index, RuntimeAddress trampoline) {
    const inline_sites::Window& window = *site.chosen.window;
    const RunPlaces::Entry& entry = places_.entries[index];
    const RuntimeAddress at = site.chosen.patched();
    SitePatch patch;
    patch.address = at;
    const RuntimeAddress landing = entry.springboard ? entry.landing : trampoline;
    if (entry.springboard) NOHALT_CHECK(add_springboard(landing, trampoline));
    NOHALT_CHECK(add_jump(patch, entry.form, at, landing));
    if (entry.second) {
      const RuntimeAddress after = site.chosen.resume();
      NOHALT_TRY(const RuntimeAddress moved, add_moved(window.successor, after));
      NOHALT_CHECK(add_springboard(entry.second->landing, moved));
      NOHALT_CHECK(add_jump(patch, entry.second->form, after, entry.second->landing));
    }
    image_.patches[index] = std::move(patch);
    return {};
  }

  Status add_detours(const CodeSite& site, std::size_t index, RuntimeAddress copy) {
    const inline_sites::Window& window = *site.chosen.window;
    if (window.kind != inline_sites::WindowKind::kSeveral) return {};
    SitePatch& patch = image_.patches[index];
    patch.window = {patch.address + 1, site.chosen.resume()};
    const auto moved = inline_relocate::relocate(window.displaced, patch.address, copy);
    if (!moved) return std::unexpected(inline_sites::to_error(moved.error()));
    RuntimeAddress at = patch.address;
    for (std::size_t i = 1; i < window.displaced.size(); ++i) {
      at = at + window.displaced[i - 1].length;
      patch.detours.push_back({at, copy + moved->starts[i]});
    }
    return {};
  }

  static Status add_jump(SitePatch& patch, const inline_sites::JumpForm& form, RuntimeAddress at,
                         RuntimeAddress landing) {
    const auto jump = inline_sites::encode_jump(form, at, landing);
    if (!jump)
      return std::unexpected(inline_sites::to_error(inline_sites::SiteRefusal::kNoTrampolineRoom));
    patch.bytes.insert(patch.bytes.end(), jump->begin(), jump->end());
    return {};
  }

  // An instruction that does the same here as at `original`, and goes on behind it.
  Result<RuntimeAddress> add_moved(const inline_sites::Instruction& instruction,
                                   RuntimeAddress original) {
    const RuntimeAddress where = next_;
    const auto moved = inline_relocate::relocate({&instruction, 1}, original, where);
    if (!moved) return std::unexpected(inline_sites::to_error(moved.error()));
    NOHALT_CHECK(write(where, std::as_bytes(std::span(moved->bytes))));
    advance(moved->bytes.size());
    return where;
  }

  Status add_springboard(RuntimeAddress landing, RuntimeAddress trampoline) {
    inline_relocate::Emitter emitter(landing);
    emitter.jump(trampoline);
    const auto jump = std::move(emitter).finish();
    return write(landing, std::as_bytes(std::span(jump)));
  }

  Status write(RuntimeAddress at, std::span<const std::byte> bytes) {
    for (CodeChunk& chunk : image_.chunks) {
      const bool inside = chunk.range.begin <= at && at + bytes.size() <= chunk.range.end;
      if (!inside) continue;
      std::copy(bytes.begin(), bytes.end(),
                chunk.bytes.begin() + static_cast<std::ptrdiff_t>(at - chunk.range.begin));
      return {};
    }
    return fail(ErrorCode::kInternal, "code-outside-region",
                "The probe's code does not fit the room that was planned for it.",
                "Report this as a defect of nohalt.");
  }

  void advance(std::uint64_t size) { next_ = {aligned(next_.value + size)}; }

  const TargetView& view_;
  const RunPlaces& places_;
  const records::RunLayout& layout_;
  const TargetConstants& constants_;
  runtime::RuntimeEntries entries_{};
  RuntimeAddress next_;
  CodeImage image_;
};

}  // namespace

Result<CodeImage> build_code(const TargetView& view, const RunPlaces& places,
                             std::span<const CodeSite> sites, const records::RunLayout& layout,
                             const TargetConstants& constants) {
  ImageBuilder builder(view, places, layout, constants);
  for (const RunPlaces::Cluster& cluster : places.clusters)
    NOHALT_CHECK(builder.add_cluster(cluster, sites));
  return builder.take();
}

}  // namespace nohalt::engines
