// Code pages are mapped twice, writable and executable, so that nothing is
// both. Entries reach the model through a variable of this file.
#include "tests/differential/program/machine.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace nohalt::program_test {
namespace {

using inline_translate::RuntimeEntry;
using program::Helper;

constexpr std::size_t kCodeBytes = 1 << 20;
Model* current = nullptr;

std::int64_t read(Helper helper, void* to, std::uint64_t size, std::uint64_t from,
                  std::uint64_t length) {
  auto* bytes = static_cast<std::byte*>(to);
  const std::span<std::byte> record = current->record();
  const bool in_record = bytes >= record.data() && bytes < record.data() + record.size();
  const auto address = reinterpret_cast<std::int64_t>(bytes);
  const auto start = reinterpret_cast<std::int64_t>(record.data());
  return current->read(helper, in_record ? 'r' : 's', in_record ? address - start : address,
                       {bytes, size}, from, length);
}

using Context = runtime::HitContext;
std::uint64_t entry_take_token(Context*) { return current->take_token() ? 1 : 0; }
std::uint64_t entry_open_call(Context*, std::uint64_t frame) {
  return current->take_call_token(Helper::kOpenCall, frame) ? 1 : 0;
}
std::uint64_t entry_close_call(Context*, std::uint64_t frame) {
  return current->take_call_token(Helper::kCloseCall, frame) ? 1 : 0;
}
void* entry_reserve(Context*) { return current->reserve().data(); }
std::uint64_t entry_admit(Context* context) {
  if (entry_take_token(context) == 0) return runtime::kNotAdmitted;
  void* body = entry_reserve(context);
  return body == nullptr ? runtime::kNoSlot : reinterpret_cast<std::uint64_t>(body);
}
void entry_commit(Context*, void*) { current->release(true); }
void entry_abandon(Context*, void*) { current->release(false); }
std::int64_t entry_frame(Context*, void* to, std::uint64_t size, std::uint64_t from) {
  return read(Helper::kReadFrame, to, size, from, 0);
}
std::int64_t entry_static(Context*, void* to, std::uint64_t size, std::uint64_t from) {
  return read(Helper::kReadStatic, to, size, from, 0);
}
std::int64_t entry_user(Context*, void* to, std::uint64_t size, std::uint64_t from) {
  return read(Helper::kReadUser, to, size, from, 0);
}
std::int64_t entry_bytes(Context*, void* to, std::uint64_t max, std::uint64_t from,
                         std::uint64_t length) {
  return read(Helper::kReadBytes, to, max, from, length);
}
std::int64_t entry_string(Context*, void* to, std::uint64_t max, std::uint64_t from) {
  return read(Helper::kReadString, to, max, from, 0);
}
std::int64_t entry_stack(Context*, void* to, std::uint64_t max, std::uint64_t from) {
  return read(Helper::kReadStack, to, max, from, 0);
}

std::int64_t entry_tree(Context*, void* to, std::uint64_t size, std::uint64_t from,
                        std::uint64_t links) {
  return read(Helper::kTreeNext, to, size, from, links);
}

std::int64_t entry_wide(Context*, void* to, std::uint64_t max, std::uint64_t from,
                        std::uint64_t unit) {
  return read(Helper::kReadWide, to, max, from, unit);
}

std::uint64_t entry_thread_pointer(Context*) { return current->thread_pointer(); }

std::int64_t entry_full(Context*, void* to, std::uint64_t size, std::uint64_t from,
                        std::uint64_t count) {
  return read(Helper::kNextFull, to, size, from, count);
}

// Calls with known values in the registers a function must keep, and looks at
// them afterwards. All other registers are arbitrary.
extern "C" std::uint64_t nohalt_call_watched(const void* code, void* context, std::uint64_t* kept,
                                             std::uint64_t record);
asm(R"(
  .text
  .type nohalt_call_watched, @function
nohalt_call_watched:
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  push %rdx
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rcx, %rsi
  mov $0x1111, %rbx
  mov $0x2222, %rbp
  mov $0x3333, %r12
  mov $0x4444, %r13
  mov $0x5555, %r14
  mov $0x6666, %r15
  mov $-1, %rdx
  mov $-1, %rcx
  mov $-1, %r8
  mov $-1, %r9
  call *%rax
  pop %rdx
  mov %rbx, (%rdx)
  mov %rbp, 8(%rdx)
  mov %r12, 16(%rdx)
  mov %r13, 24(%rdx)
  mov %r14, 32(%rdx)
  mov %r15, 40(%rdx)
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
  .size nohalt_call_watched, . - nohalt_call_watched
)");

template <class Function>
RuntimeAddress address_of(Function* function) {
  return {reinterpret_cast<std::uint64_t>(function)};
}

}  // namespace

Machine::Machine() {
  const int fd = ::memfd_create("program-test", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, kCodeBytes) != 0) return;
  void* writable = ::mmap(nullptr, kCodeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  // Near the entries where it can be, as in a target.
  const std::uint64_t near = (address_of(&entry_user).value & ~std::uint64_t{0xfffff}) + (1 << 28);
  void* code =
      ::mmap(reinterpret_cast<void*>(near), kCodeBytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  ::close(fd);
  if (writable != MAP_FAILED) writable_ = static_cast<std::byte*>(writable);
  if (code != MAP_FAILED) code_ = static_cast<std::byte*>(code);
}

Machine::~Machine() {
  if (writable_ != nullptr) ::munmap(writable_, kCodeBytes);
  if (code_ != nullptr) ::munmap(code_, kCodeBytes);
}

inline_translate::Surroundings Machine::surroundings() const {
  inline_translate::Surroundings result;
  result.load_address = {reinterpret_cast<std::uint64_t>(code_)};
  const auto set = [&](RuntimeEntry entry, RuntimeAddress address) {
    result.entries[static_cast<std::size_t>(entry)] = address;
  };
  set(RuntimeEntry::kTakeToken, address_of(&entry_take_token));
  set(RuntimeEntry::kReserve, address_of(&entry_reserve));
  set(RuntimeEntry::kAdmit, address_of(&entry_admit));
  set(RuntimeEntry::kCommit, address_of(&entry_commit));
  set(RuntimeEntry::kAbandon, address_of(&entry_abandon));
  set(RuntimeEntry::kReadFrame, address_of(&entry_frame));
  set(RuntimeEntry::kReadStatic, address_of(&entry_static));
  set(RuntimeEntry::kReadUser, address_of(&entry_user));
  set(RuntimeEntry::kReadBytes, address_of(&entry_bytes));
  set(RuntimeEntry::kReadString, address_of(&entry_string));
  set(RuntimeEntry::kReadStack, address_of(&entry_stack));
  set(RuntimeEntry::kTreeNext, address_of(&entry_tree));
  set(RuntimeEntry::kReadWide, address_of(&entry_wide));
  set(RuntimeEntry::kThreadPointer, address_of(&entry_thread_pointer));
  set(RuntimeEntry::kNextFull, address_of(&entry_full));
  set(RuntimeEntry::kOpenCall, address_of(&entry_open_call));
  set(RuntimeEntry::kCloseCall, address_of(&entry_close_call));
  return result;
}

std::uint64_t Machine::run(const inline_translate::TranslatedBody& body, Model& model) {
  if (writable_ == nullptr || code_ == nullptr || body.code.size() > kCodeBytes)
    return ~std::uint64_t{0};
  std::memcpy(writable_, body.code.data(), body.code.size());
  current = &model;
  const std::uint64_t admission = body.is_admitted ? entry_admit(&model.context()) : 0;
  if (body.is_admitted && admission <= runtime::kNoSlot) {
    const bool has_token = admission != runtime::kNotAdmitted;
    return static_cast<std::uint64_t>(has_token ? program::Outcome::kDropped
                                                : program::Outcome::kSuppressed);
  }
  std::uint64_t kept[6] = {};
  const std::uint64_t outcome = nohalt_call_watched(code_, &model.context(), kept, admission);
  current = nullptr;
  constexpr std::uint64_t kExpected[6] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666};
  registers_kept_ = registers_kept_ && std::equal(kept, kept + 6, kExpected);
  return outcome;
}

}  // namespace nohalt::program_test
