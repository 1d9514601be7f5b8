#include "tests/unit/runtime/in_process_run.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "probes/engines/inline/translate/translate.h"
#include "probes/runtime/runtime_blob.h"

namespace nohalt::testing {

namespace {

constexpr std::size_t kCodeSize = 1 << 20;
constexpr std::uint64_t kGeneration = 0x7e57'7e57'7e57'7e57;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "in-process run: %s\n", why.c_str());
  std::exit(99);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message);
  return *std::move(result);
}

}  // namespace

std::uint32_t tid_offset() {
  const auto tid = static_cast<std::uint32_t>(syscall(SYS_gettid));
  const auto* self = static_cast<const char*>(__builtin_thread_pointer());
  for (std::uint32_t offset = 0x40; offset < 0x800; offset += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, self + offset, sizeof word);
    if (word == tid) return offset;
  }
  give_up("no thread id in the thread control block");
}

InProcessRun::InProcessRun(const std::vector<records::SiteNeeds>& sites) {
  const records::RunLayout layout = must(records::plan_layout(kGeneration, sites));
  control_fd_ = must(records::create_control_memfd(layout));
  tool_side_ = std::make_unique<records::ControlRegion>(
      must(records::ControlRegion::map(control_fd_.get(), layout)));
  target_side_ = std::make_unique<records::ControlRegion>(
      must(records::ControlRegion::map(control_fd_.get(), layout)));
  void* gate = mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (gate == MAP_FAILED || madvise(gate, kPageSize, MADV_WIPEONFORK) != 0) give_up("no gate page");
  gate_ = static_cast<runtime::GatePage*>(gate);
  map_code();
}

void InProcessRun::map_code() {
  const UniqueFd fd(memfd_create(runtime::kCodeName, MFD_CLOEXEC));
  if (!fd.valid() || ftruncate(fd.get(), kCodeSize) != 0) give_up("no memory for code");
  // Near the program's own code, so that a jump reaches it.
  std::uint64_t near = page_floor(reinterpret_cast<std::uint64_t>(&tid_offset));
  void* code = MAP_FAILED;
  for (int tries = 0; tries < 256 && code == MAP_FAILED; ++tries) {
    near -= 4 * kCodeSize;
    code = mmap(reinterpret_cast<void*>(near), kCodeSize, PROT_READ | PROT_EXEC,
                MAP_SHARED | MAP_FIXED_NOREPLACE, fd.get(), 0);
  }
  void* writable = mmap(nullptr, kCodeSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (code == MAP_FAILED || writable == MAP_FAILED) give_up("code cannot be mapped");
  code_ = static_cast<std::byte*>(code);
  writable_code_ = static_cast<std::byte*>(writable);
  const auto blob = runtime::runtime_blob().code;
  std::memcpy(writable_code_, blob.data(), blob.size());
  next_ = {page_ceil(reinterpret_cast<std::uint64_t>(code_) + blob.size())};
}

InProcessRun::~InProcessRun() {
  munmap(gate_, kPageSize);
  munmap(code_, kCodeSize);
  munmap(writable_code_, kCodeSize);
}

std::uint64_t InProcessRun::entry(runtime::RuntimeEntry which) const {
  return runtime::runtime_blob().entry(reinterpret_cast<std::uint64_t>(code_), which);
}

runtime::RuntimeEntries InProcessRun::entries() const {
  runtime::RuntimeEntries entries;
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i] = {entry(static_cast<runtime::RuntimeEntry>(i))};
  return entries;
}

runtime::SiteConstants InProcessRun::constants(std::size_t site) const {
  const records::SiteLayout& layout = target_side_->layout().sites[site];
  return {.probe = &target_side_->probe(site),
          .control = &target_side_->control(),
          .slots = reinterpret_cast<std::uint8_t*>(target_side_->slot(site, 0)),
          .slot_mask = layout.slot_count - 1,
          .generation = kGeneration,
          .site = layout.site,
          .body_size = layout.body_size,
          .slot_size = layout.slot_size,
          .tid_offset = tid_offset(),
          .own_pid = getpid(),
          .calls_of = layout.site,
          .static_ranges = {}};
}

std::uint64_t InProcessRun::add_trampoline(std::size_t site, BodyMaker body,
                                           const TrampolineOptions& options) {
  return add(
      site,
      [&](RuntimeAddress at, const auto&) -> Result<inline_engine::BodyCode> {
        inline_engine::BodyCode code(body(*this, at));
        code.stack_bytes = options.body_stack;
        code.registers = options.registers;
        return code;
      },
      options);
}

std::uint64_t InProcessRun::add_program(std::size_t site, const program::Program& program,
                                        const TrampolineOptions& options) {
  return add(
      site,
      [&](RuntimeAddress at,
          const runtime::RuntimeEntries& entries) -> Result<inline_engine::BodyCode> {
        inline_translate::Surroundings around;
        around.load_address = at;
        around.entries = entries;
        auto body = must(inline_translate::translate(program, around));
        inline_engine::BodyCode code(std::move(body.code));
        code.stack_bytes = body.stack_bytes;
        code.registers = body.registers;
        code.xmm_count = body.xmm_count;
        code.calls_runtime = body.calls_runtime;
        code.is_admitted = body.is_admitted;
        return code;
      },
      options);
}

std::uint64_t InProcessRun::add(std::size_t site, inline_engine::BodyAt body,
                                const TrampolineOptions& options) {
  const inline_engine::TrampolineSpec spec{
      .position = next_,
      .site = {options.site_address},
      .gate = {reinterpret_cast<std::uint64_t>(gate_)},
      .entries = entries(),
      .constants = constants(site),
      .body = std::move(body),
      .xmm_count = options.xmm_count,
      .displaced = [&](RuntimeAddress) { return options.displaced; },
      .resume = {options.resume != 0 ? options.resume : next_.value}};
  last_ = must(inline_engine::build_trampoline(spec));
  const std::uint64_t begin = next_.value;
  std::memcpy(writable_code_ + (begin - reinterpret_cast<std::uint64_t>(code_)), last_.bytes.data(),
              last_.bytes.size());
  next_ = {(begin + last_.bytes.size() + 63) / 64 * 64};
  return begin;
}

void InProcessRun::open_wide() {
  gate_->open = 1;
  target_side_->control().lease_deadline_tsc = ~0ULL;
  target_side_->control().cpu_ticks_budget = ~0ULL;
  for (std::size_t i = 0; i < target_side_->layout().sites.size(); ++i) {
    runtime::ProbeControl& probe = target_side_->probe(i);
    probe.seq_limit = ~0ULL;
    probe.cpu_ticks_budget = ~0ULL;
    probe.cpu_outlier_ticks = 1'000'000;
    probe.state = static_cast<std::uint32_t>(runtime::ProbeState::kOn);
  }
}

}  // namespace nohalt::testing
