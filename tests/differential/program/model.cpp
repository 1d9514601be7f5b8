// The made-up target; see the header.
#include "tests/differential/program/model.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "probes/program/opcode.h"

namespace nohalt::program_test {
namespace {

using program::Helper;

std::byte* map_pages(std::size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

bool inside(const std::byte* begin, std::size_t bytes, std::uint64_t from, std::uint64_t size) {
  const auto first = reinterpret_cast<std::uint64_t>(begin);
  return from >= first && from < first + bytes && size <= first + bytes - from;
}

}  // namespace

const TargetMemory& TargetMemory::get() {
  static const TargetMemory memory = [] {
    TargetMemory made{map_pages(kStackBytes), map_pages(kStaticBytes)};
    std::mt19937_64 random(7);
    for (std::size_t at = 0; at < kStackBytes; ++at) made.stack[at] = std::byte(random() & 0xff);
    for (std::size_t at = 0; at < kStaticBytes; ++at) made.data[at] = std::byte(random() & 0xff);
    return made;
  }();
  return memory;
}

bool TargetMemory::on_stack(std::uint64_t from, std::uint64_t size) const {
  return inside(stack, kStackBytes, from, size);
}
bool TargetMemory::in_data(std::uint64_t from, std::uint64_t size) const {
  return inside(data, kStaticBytes, from, size);
}

std::string to_text(const std::vector<HelperCall>& calls) {
  std::string text;
  for (const HelperCall& call : calls)
    text += std::string(program::find_helper(static_cast<std::int32_t>(call.helper))->name) + "(" +
            call.region + std::to_string(call.to) + ", " + std::to_string(call.size) + ", " +
            std::to_string(call.from) + ", " + std::to_string(call.length) + ") ";
  return text;
}

Model::Model(std::uint64_t seed, std::uint32_t record_size) : random_(seed), record_(record_size) {
  const TargetMemory& memory = TargetMemory::get();
  auto* words = reinterpret_cast<std::uint64_t*>(&context_);
  for (std::size_t at = 0; at < sizeof context_ / 8; ++at) {
    words[at] = random_();
    if (random_() % 4 == 0) words[at] &= 0xff;
  }
  const std::uint64_t rsp =
      reinterpret_cast<std::uint64_t>(memory.stack) + 4096 + random_() % 512 * 8;
  context_.regs.rsp = rsp;
  context_.regs.rbp = rsp + random_() % 64 * 8;
  context_.regs.rbx = rsp + random_() % 8192 - 4096;
}

bool Model::take_token() {
  calls_.push_back({Helper::kTakeToken});
  return random_() % 8 != 0;
}

bool Model::take_call_token(Helper helper, std::uint64_t frame) {
  calls_.push_back({.helper = helper, .from = frame});
  return random_() % 8 != 0;
}

std::uint64_t Model::thread_pointer() {
  calls_.push_back({Helper::kThreadPointer});
  return random_();
}

std::span<std::byte> Model::reserve() {
  calls_.push_back({Helper::kReserve});
  if (random_() % 8 == 0) return {};
  return record_;
}

void Model::release(bool commits) {
  calls_.push_back({commits ? Helper::kCommit : Helper::kAbandon});
  if (commits) committed_ = record_;
}

std::int64_t Model::read(Helper helper, char region, std::int64_t to_offset,
                         std::span<std::byte> to, std::uint64_t from, std::uint64_t length) {
  const TargetMemory& memory = TargetMemory::get();
  const bool plain = (helper == Helper::kReadFrame && memory.on_stack(from, to.size())) ||
                     (helper == Helper::kReadStatic && memory.in_data(from, to.size()));
  if (plain) {
    if (logs_every_read_) calls_.push_back({helper, region, 0, to.size(), from, 0});
    // May have been read without a call: the same bytes, and no trace.
    std::memcpy(to.data(), reinterpret_cast<const void*>(from), to.size());
    return 0;
  }
  if (region == 's' && !seen_on_stack_) {
    seen_on_stack_ = true;
    first_on_stack_ = to_offset;
  }
  if (region == 's') to_offset -= first_on_stack_;
  const auto* signature = program::find_helper(static_cast<std::int32_t>(helper));
  if (!signature->takes_length) length = 0;
  calls_.push_back({helper, region, to_offset, to.size(), from, length});
  std::ranges::fill(to, std::byte{0});
  if (random_() % 4 == 0) return -14;
  if (helper == Helper::kNextFull) return static_cast<std::int64_t>(random_() % (length | 1));
  std::uint64_t got = to.size();
  if (helper == Helper::kReadBytes) got = std::min<std::uint64_t>(got, length);
  if (helper == Helper::kReadString || helper == Helper::kReadStack || helper == Helper::kReadWide)
    got = random_() % (got + 1);
  for (std::uint64_t at = 0; at < got; ++at) to[at] = std::byte(random_() & 0xff);
  return signature->counts_bytes ? static_cast<std::int64_t>(got) : 0;
}

std::int64_t ModelEnvironment::read(Helper helper, std::span<std::byte> to, std::uint64_t from,
                                    std::uint64_t length) {
  const std::span<std::byte> record = model_.record();
  const bool in_record = to.data() >= record.data() && to.data() < record.data() + record.size();
  const auto address = reinterpret_cast<std::int64_t>(to.data());
  const auto start = reinterpret_cast<std::int64_t>(record.data());
  return model_.read(helper, in_record ? 'r' : 's', in_record ? address - start : address, to, from,
                     length);
}

}  // namespace nohalt::program_test
