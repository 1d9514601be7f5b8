// Every change is undone by its object unless the whole is kept (arm.cpp tells the
// order and why).
#include "probes/engines/inline/install.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/region.h"
#include "probes/target/drain.h"
#include "probes/target/thread_numbers.h"

namespace nohalt::engines {

namespace {

using inline_pages::Region;
using inline_pages::RegionMapper;
using target::RemoteThread;

// Where glibc 2.4 and later on x86-64 keep the thread's id, from fs:0 (struct
// pthread, field tid). Believed only where a thread proves it.
constexpr std::uint32_t kGlibcTidOffset = 720;
constexpr std::chrono::milliseconds kDrainPatience{2000};

// The offset of the thread id in the C library's control block, where the
// borrowed thread proves it; else 0.
Result<std::uint32_t> prove_tid_offset(RemoteThread& thread) {
  constexpr std::uint64_t kArchGetFs = 0x1003;
  NOHALT_TRY(const RuntimeAddress answer, thread.put_text(""));
  NOHALT_TRY([[maybe_unused]] const std::uint64_t done,
             thread.call("arch_prctl", SYS_arch_prctl, {kArchGetFs, answer.value, 0, 0, 0, 0}));
  NOHALT_TRY(const auto base, thread.memory().read_value<std::uint64_t>(answer));
  const auto tid = thread.memory().read_value<std::int32_t>({base + kGlibcTidOffset});
  const auto self = thread.memory().read_value<std::uint64_t>({base + 16});
  if (!tid || !self || *self != base) return 0;
  target::ThreadNumbers threads(thread.process().pid(), thread.process().facts().namespace_pid);
  return threads.to_tool(*tid) != 0 ? kGlibcTidOffset : 0;
}

void write_claims(const records::ControlRegion& region, const target::Process& process,
                  const RunPlaces& places, const CodeImage& image) {
  runtime::ControlPage& control = region.control();
  control.tool_pid = ::getpid();
  control.tool_start_time = own_start_time();
  control.target_pid = process.facts().namespace_pid;
  control.target_start_time = process.identity().start_time;
  control.gate_address = places.gate.value;
  for (std::size_t i = 0; i < places.pages.size(); ++i)
    control.pages[i] = {places.pages[i].value, places.slots[i].value};
  for (std::size_t i = 0; i < places.chunks.size(); ++i)
    control.code[i] = {places.chunks[i].begin.value, places.chunks[i].end.value};
  for (std::size_t i = 0; i < image.patches.size(); ++i)
    control.site_addresses[i] = image.patches[i].address.value;
  control.page_count = static_cast<std::uint32_t>(places.pages.size());
  control.code_count = static_cast<std::uint32_t>(places.chunks.size());
}

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

std::uint64_t faults_of_all(std::span<const CodeSite> sites) {
  std::uint64_t faults = 0;
  for (const CodeSite& site : sites) {
    const inline_sites::Window& window = *site.chosen.window;
    faults |= faults_of(window.displaced);
    if (window.kind == inline_sites::WindowKind::kEvicted)
      faults |= faults_of(std::span(&window.successor, 1));
  }
  return faults;
}

// Swaps pages in one by one and takes back those that are in when it goes
// without having been kept. Jumps over several instructions come last, all at once.
class Swaps {
 public:
  explicit Swaps(RemoteThread& thread) : thread_(thread) {}
  Swaps(const Swaps&) = delete;
  Swaps& operator=(const Swaps&) = delete;
  ~Swaps() { static_cast<void>(undo()); }

  // False where a page could not be put back: it still leads into the code.
  bool undo() {
    bool all_out = true;
    for (const inline_pages::SwappedPage& page : std::exchange(pages_, {}))
      all_out = inline_pages::swap_out(thread_, page).has_value() && all_out;
    return all_out;
  }

  Status add(const inline_pages::FilePage& original, RuntimeAddress slot,
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

  // Writes what no thread may be in the middle of.
  Status add_under_stop(std::span<const SitePatch> patches, std::chrono::microseconds longest) {
    if (to_stop_for_.empty()) return {};
    target::StandStillOrder order;
    order.longest_hold = static_cast<std::uint64_t>(longest.count()) * 1000;
    for (const Unfinished& page : to_stop_for_)
      for (const SitePatch& patch : patches)
        if (patch.needs_stop() && is_on(patch, page.open.page().original))
          NOHALT_CHECK(add_to(order, page.open, patch));
    const Status stood = thread_.stand_still(order);
    // Where that failed some of it may have been written all the same.
    for (const Unfinished& page : to_stop_for_) {
      NOHALT_TRY(pages_[page.index].installed, page.open.content());
    }
    NOHALT_CHECK(stood);
    for (const Unfinished& page : std::exchange(to_stop_for_, {})) NOHALT_CHECK(page.open.seal());
    return {};
  }
  std::vector<inline_pages::SwappedPage> keep() { return std::exchange(pages_, {}); }

 private:
  struct Unfinished {
    inline_pages::OpenPage open;
    std::size_t index;  // in pages_
  };

  static Status add_to(target::StandStillOrder& order, const inline_pages::OpenPage& page,
                       const SitePatch& patch) {
    if (order.patch_count == order.patches.size() ||
        order.detour_count + patch.detours.size() > order.detours.size())
      return fail(ErrorCode::kRefused, "too-many-stops",
                  "Too many places are to be probed for which all threads have to be stopped.",
                  "Probe fewer places at once.");
    order.windows[order.window_count++] = patch.window;
    order.patches[order.patch_count++] = page.patch(patch.address, patch.bytes);
    for (const target::Detour& detour : patch.detours) order.detours[order.detour_count++] = detour;
    return {};
  }

  RemoteThread& thread_;
  std::vector<inline_pages::SwappedPage> pages_;
  std::vector<Unfinished> to_stop_for_;
};

// All that happens in the target, once it is known what and where.
class Installer {
 public:
  Installer(RemoteThread& thread, const InstallPlan& plan)
      : thread_(thread),
        view_(plan.view),
        places_(plan.places),
        sites_(plan.sites),
        layout_(plan.layout),
        longest_hold_(plan.longest_hold) {}

  Result<InstalledRun> install() {
    NOHALT_TRY(target::Memory memory, target::Memory::open(thread_.process().pid()));
    RegionMapper mapper(thread_);
    NOHALT_TRY(Region control, mapper.map_control(runtime::kControlName, places_.control));
    // By which others know whose run it is (/proc/locks), while the tool lives.
    if (::flock(control.file().get(), LOCK_EX | LOCK_NB) != 0)
      return fail_errno("flock", "the control region", errno);
    NOHALT_CHECK(records::ControlRegion::prepare(control.file().get(), layout_));
    NOHALT_TRY(auto shared, records::ControlRegion::map(control.file().get(), layout_));
    NOHALT_TRY(const CodeImage image, build());
    write_claims(shared, thread_.process(), places_, image);
    NOHALT_TRY(Region gate, mapper.map_gate(places_.gate));
    std::vector<Region> code;
    for (const CodeChunk& chunk : image.chunks) {
      NOHALT_TRY(Region region, mapper.map_code(runtime::kCodeName, chunk.range, chunk.bytes));
      code.push_back(std::move(region));
    }
    Swaps swaps(thread_);
    if (const Status live = go_live(swaps, image); !live) {
      if (!swaps.undo() || !has_drained()) {
        control.keep();
        gate.keep();
        for (Region& region : code) region.keep();
      }
      return std::unexpected(live.error());
    }
    control.keep();
    gate.keep();
    for (Region& region : code) region.keep();
    return InstalledRun{.memory = std::move(memory),
                        .region = std::move(shared),
                        .control_lock = std::move(control.file()),
                        .places = places_,
                        .addresses = addresses(image),
                        .pages = swaps.keep(),
                        .id = {},
                        .before = {},
                        .holds = {},
                        .changes = ChangeWatch(thread_.process().pid(), faults_of_all(sites_),
                                               view_.caught_signals)};
  }

 private:
  // From the first swap on, threads come into the code.
  Status go_live(Swaps& swaps, const CodeImage& image) {
    for (std::size_t i = 0; i < places_.pages.size(); ++i) {
      NOHALT_TRY(const auto original, inline_pages::prove_file_page(
                                          thread_.process(), thread_.memory(), places_.pages[i]));
      NOHALT_CHECK(swaps.add(original, places_.slots[i], image.patches));
    }
    NOHALT_CHECK(swaps.add_under_stop(image.patches, longest_hold_));
    constexpr std::uint32_t kOpen = 1;
    return thread_.memory().write(places_.gate, std::as_bytes(std::span(&kOpen, 1)));
  }

  // Where it cannot be shown that everyone has left, the code stays, dormant and
  // named, for a sweep.
  bool has_drained() {
    const auto who = target::wait_until_left(thread_, places_.chunks, kDrainPatience);
    return who && !*who;
  }

  Result<CodeImage> build() {
    TargetConstants constants;
    constants.own_pid = thread_.process().facts().namespace_pid;
    NOHALT_TRY(constants.tid_offset, prove_tid_offset(thread_));
    return build_code(view_, places_, sites_, layout_, constants);
  }

  static std::vector<RuntimeAddress> addresses(const CodeImage& image) {
    std::vector<RuntimeAddress> addresses;
    for (const SitePatch& patch : image.patches) addresses.push_back(patch.address);
    return addresses;
  }

  RemoteThread& thread_;
  const TargetView& view_;
  const RunPlaces& places_;
  std::span<const CodeSite> sites_;
  const records::RunLayout& layout_;
  std::chrono::microseconds longest_hold_;
};

}  // namespace

Result<InstalledRun> install(RemoteThread& thread, const InstallPlan& plan) {
  return Installer(thread, plan).install();
}

}  // namespace nohalt::engines
