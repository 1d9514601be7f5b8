// Every change is undone by its object unless the whole is kept (arm.cpp tells the
// order and why).
#include "probes/engines/inline/install.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "probes/engines/inline/pages/region.h"
#include "probes/engines/inline/text_changes.h"
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
    TextChanges text(thread_, longest_hold_);
    if (const Status live = go_live(text, image); !live) {
      if (!text.undo() || !has_drained()) {
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
                        .pages = text.keep_pages(),
                        .texts = text.keep_texts(),
                        .longest_hold = longest_hold_,
                        .id = {},
                        .before = {},
                        .holds = {},
                        .changes = ChangeWatch(thread_.process().pid(), faults_of_all(sites_),
                                               view_.caught_signals)};
  }

 private:
  // From the first change on, threads come into the code.
  Status go_live(TextChanges& text, const CodeImage& image) {
    const target::Process& process = thread_.process();
    for (std::size_t i = 0; i < places_.pages.size(); ++i) {
      const RuntimeAddress page = places_.pages[i];
      if (places_.slots[i] == inline_pages::kWrittenInPlace) {
        NOHALT_TRY(const auto original,
                   inline_pages::prove_text_page(process, thread_.memory(), page));
        NOHALT_CHECK(text.write(original, image.patches));
        continue;
      }
      NOHALT_TRY(const auto original,
                 inline_pages::prove_file_page(process, thread_.memory(), page));
      NOHALT_CHECK(text.swap(original, places_.slots[i], image.patches));
    }
    NOHALT_CHECK(text.finish(image.patches));
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
