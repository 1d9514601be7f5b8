// The child's address space, and runtime entries that check how they are called.
#include "tests/differential/program/sandbox.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "probes/runtime/layout.h"

namespace nohalt::program_test {
namespace {

using inline_translate::RuntimeEntry;

constexpr std::size_t kPage = 4096;
// Pages of the region; those between are never mapped.
constexpr std::size_t kTargetStackPage = 2;
constexpr std::size_t kStaticPage = 5;
constexpr std::size_t kContextPage = 8;
constexpr std::size_t kRecordPage = 11;
constexpr std::size_t kBodyStackPage = 20;
constexpr std::size_t kBodyStackPages = 8;
constexpr std::size_t kCodePage = 40;
constexpr std::size_t kCodePages = 128;
constexpr std::size_t kRegionPages = kCodePage + kCodePages + 2;
constexpr std::uint32_t kFrameBytes = 96;

// What the entries know of the run in hand. Only the child uses it.
struct Run {
  std::byte* record_page;
  std::byte* record;
  std::byte* stack_begin;
  std::byte* stack_end;
  void* context;
  std::size_t record_size;
  bool grants;
  bool has_slot;
  int tokens;
  int reserves;
  bool owned;
  const char* wrong;
};
Run run_state;

void expect(bool holds, const char* otherwise) {
  if (!holds && run_state.wrong == nullptr) run_state.wrong = otherwise;
}

using Context = runtime::HitContext;

std::uint64_t entry_take_token(Context* context) {
  expect(context == run_state.context, "take_token without the context");
  expect(run_state.tokens++ == 0, "take_token twice");
  return run_state.grants ? 1 : 0;
}

void* entry_reserve(Context* context) {
  expect(context == run_state.context, "reserve without the context");
  expect(run_state.tokens == 1 && run_state.grants, "reserve without a token");
  expect(run_state.reserves++ == 0, "reserve twice");
  if (!run_state.has_slot) return nullptr;
  ::mprotect(run_state.record_page, kPage, PROT_READ | PROT_WRITE);
  run_state.owned = true;
  return run_state.record;
}

std::uint64_t entry_admit(Context* context) {
  if (entry_take_token(context) == 0) return runtime::kNotAdmitted;
  void* body = entry_reserve(context);
  return body == nullptr ? runtime::kNoSlot : reinterpret_cast<std::uint64_t>(body);
}

void entry_release(Context* context, void* body) {
  expect(context == run_state.context, "release without the context");
  expect(run_state.owned && body == run_state.record, "release of what is not owned");
  run_state.owned = false;
  ::mprotect(run_state.record_page, kPage, PROT_READ);
}

std::int64_t entry_read(Context* context, void* to, std::uint64_t size, std::uint64_t) {
  auto* begin = static_cast<std::byte*>(to);
  // The frame of this function begins below all that is the body's.
  auto* body_frame = static_cast<std::byte*>(__builtin_frame_address(0)) + 16;
  const bool in_stack = begin >= body_frame && begin < run_state.stack_end - 8 &&
                        size <= static_cast<std::size_t>(run_state.stack_end - 8 - begin);
  const bool in_record =
      run_state.owned && begin >= run_state.record &&
      begin < run_state.record + run_state.record_size &&
      size <= static_cast<std::size_t>(run_state.record + run_state.record_size - begin);
  expect(context == run_state.context, "read without the context");
  expect(in_stack || in_record, "read to outside of the frame and the record");
  if (in_stack || in_record) std::memset(to, 0x3c, size);
  return size % 3 == 0 ? -14 : 0;
}

std::uint64_t entry_thread_pointer(Context* context) {
  expect(context == run_state.context, "thread_pointer without the context");
  return 0x123456789abc;
}

// Calls `code` with rsp at `stack`, and says whether it came back with the
// registers that the ABI promises.
extern "C" std::uint64_t nohalt_call_on_stack(const void* code, void* context, void* stack,
                                              std::uint64_t record);
asm(R"(
  .text
  .type nohalt_call_on_stack, @function
nohalt_call_on_stack:
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  mov %rsp, %r12
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsp
  mov $0x1111, %rbx
  mov $0x2222, %rbp
  mov $0x4444, %r13
  mov $0x5555, %r14
  mov $0x6666, %r15
  mov %rcx, %rsi
  mov $0x7777777777, %rdx
  mov %rdx, %rcx
  mov %rdx, %r8
  mov %rdx, %r9
  mov %rdx, %r10
  mov %rdx, %r11
  call *%rax
  mov %r12, %rsp
  xor $0x1111, %rbx
  xor $0x2222, %rbp
  xor $0x4444, %r13
  xor $0x5555, %r14
  xor $0x6666, %r15
  mov %rbx, %rax
  or %rbp, %rax
  or %r13, %rax
  or %r14, %rax
  or %r15, %rax
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
  .size nohalt_call_on_stack, . - nohalt_call_on_stack
)");

RuntimeAddress address_of(const void* at) { return {reinterpret_cast<std::uint64_t>(at)}; }

runtime::HitContext make_context(std::byte* base, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  runtime::HitContext context{};
  auto* words = reinterpret_cast<std::uint64_t*>(&context);
  for (std::size_t at = 0; at < sizeof context / 8; ++at)
    words[at] = random() % 4 == 0 ? random() % 256 : random();
  // The page ends soon above rsp, or begins right below its red zone.
  const std::uint64_t page = address_of(base + kTargetStackPage * kPage).value;
  context.regs.rsp = seed % 2 == 0 ? page + kPage - kFrameBytes : page + 128;
  context.regs.rbp = context.regs.rsp + random() % (kFrameBytes + 16);
  context.regs.rbx = context.regs.rsp + random() % 512 - 256;
  return context;
}

// In the child: one pass of the code. Null: nothing wrong.
const char* run_once(std::byte* base, const inline_translate::BodyLimits& limits, bool grants,
                     bool has_slot, bool at_page_end) {
  const std::size_t record_size = limits.record_size;
  std::byte* record_page = base + kRecordPage * kPage;
  ::mprotect(record_page, kPage, PROT_READ | PROT_WRITE);
  std::memset(record_page, 0xc5, kPage);
  ::mprotect(record_page, kPage, PROT_READ);
  std::byte* stack = base + kBodyStackPage * kPage;
  std::byte* stack_end = stack + kBodyStackPages * kPage;
  std::byte* record = at_page_end ? record_page + kPage - record_size : record_page;
  void* context = base + (kContextPage + 1) * kPage - sizeof(runtime::HitContext);
  run_state = {record_page, record,   stack, stack_end, context, record_size,
               grants,      has_slot, 0,     0,         false,   nullptr};
  std::uint64_t admission = 0x7777777777;
  if (limits.is_admitted) admission = entry_admit(static_cast<Context*>(context));
  const std::uint64_t changed =
      nohalt_call_on_stack(base + kCodePage * kPage, context, stack_end, admission);
  expect(changed == 0, "the caller's registers were not kept");
  expect(!run_state.owned, "the record was left");
  for (std::byte* at = record_page; at < record_page + kPage; ++at)
    if (at < record || at >= record + record_size)
      expect(*at == std::byte{0xc5}, "a byte beside the record was changed");
  return run_state.wrong;
}

}  // namespace

Sandbox::Sandbox() {
  void* region = ::mmap(nullptr, kRegionPages * kPage, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const int fd = ::memfd_create("program-sandbox", MFD_CLOEXEC);
  if (region == MAP_FAILED || fd < 0 || ::ftruncate(fd, kCodePages * kPage) != 0) return;
  auto* base = static_cast<std::byte*>(region);
  void* code = ::mmap(base + kCodePage * kPage, kCodePages * kPage, PROT_READ | PROT_EXEC,
                      MAP_SHARED | MAP_FIXED, fd, 0);
  void* writable = ::mmap(nullptr, kCodePages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (code == MAP_FAILED || writable == MAP_FAILED) return;
  writable_code_ = static_cast<std::byte*>(writable);
  for (const std::size_t page : {kTargetStackPage, kStaticPage})
    ::mprotect(base + page * kPage, kPage, PROT_READ);
  ::mprotect(base + kContextPage * kPage, kPage, PROT_READ | PROT_WRITE);
  ::mprotect(base + kBodyStackPage * kPage, kBodyStackPages * kPage, PROT_READ | PROT_WRITE);
  base_ = base;
}

Sandbox::~Sandbox() {
  if (base_ != nullptr) ::munmap(base_, kRegionPages * kPage);
  if (writable_code_ != nullptr) ::munmap(writable_code_, kCodePages * kPage);
}

inline_translate::Surroundings Sandbox::surroundings() const {
  inline_translate::Surroundings result;
  result.load_address = address_of(base_ + kCodePage * kPage);
  const std::uint64_t data = address_of(base_ + kStaticPage * kPage).value;
  result.static_ranges.push_back({data, data + kPage});
  const auto set = [&](RuntimeEntry entry, auto* function) {
    result.entries[static_cast<std::size_t>(entry)] = {reinterpret_cast<std::uint64_t>(function)};
  };
  set(RuntimeEntry::kTakeToken, &entry_take_token);
  set(RuntimeEntry::kReserve, &entry_reserve);
  set(RuntimeEntry::kAdmit, &entry_admit);
  set(RuntimeEntry::kCommit, &entry_release);
  set(RuntimeEntry::kAbandon, &entry_release);
  for (const RuntimeEntry read :
       {RuntimeEntry::kReadFrame, RuntimeEntry::kReadStatic, RuntimeEntry::kReadUser,
        RuntimeEntry::kReadBytes, RuntimeEntry::kReadString, RuntimeEntry::kReadStack,
        RuntimeEntry::kTreeNext, RuntimeEntry::kReadWide, RuntimeEntry::kNextFull})
    set(read, &entry_read);
  set(RuntimeEntry::kThreadPointer, &entry_thread_pointer);
  set(RuntimeEntry::kOpenCall, &entry_take_token);
  set(RuntimeEntry::kCloseCall, &entry_take_token);
  return result;
}

std::string Sandbox::run(std::span<const std::byte> code,
                         const inline_translate::BodyLimits& limits, std::uint64_t seed) {
  if (code.size() > kCodePages * kPage || limits.record_size > kPage)
    return "too large for the sandbox";
  std::memcpy(writable_code_, code.data(), code.size());
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child < 0) return "no child";
  if (child == 0) {
    ::alarm(10);
    const runtime::HitContext context = make_context(base_, seed);
    std::byte* context_page = base_ + kContextPage * kPage;
    std::memcpy(context_page + kPage - sizeof context, &context, sizeof context);
    ::mprotect(context_page, kPage, PROT_READ);
    const char* wrong = nullptr;
    for (int way = limits.is_admitted ? 2 : 0; way < 3 && wrong == nullptr; ++way)
      wrong = run_once(base_, limits, way != 0, way != 1, seed % 3 != 0);
    if (wrong != nullptr && ::write(pipe_ends[1], wrong, std::strlen(wrong)) < 0) ::_exit(2);
    ::_exit(wrong == nullptr ? 0 : 1);
  }
  ::close(pipe_ends[1]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  char text[128];
  const ssize_t length = ::read(pipe_ends[0], text, sizeof text);
  ::close(pipe_ends[0]);
  if (WIFSIGNALED(status)) return std::string("ended by ") + strsignal(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return {};
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : "failed";
}

}  // namespace nohalt::program_test
