// Reading the target's memory without ever faulting. A plain load is made only
// where the address is proven mapped: the thread's own stack around rsp, and data
// of modules that cannot go away. All else goes through process_vm_readv on the
// process itself, in which the kernel does the walking and an unmapped, unaligned,
// wild or kernel address is an error and not a signal. A process may always read
// itself that way: access is checked only against another address space, so a
// vforked child, which shares it, may too.
//
// The kernel copies page by page but promises partial results only at the borders
// of the caller's ranges, so where a partial result matters (strings, stacks) the range
// is split at page borders.
#include "probes/runtime/injected/internal.h"

namespace nohalt::runtime {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kAddressEnd = uint64_t{1} << 56;  // above all user addresses, with 5 levels too
constexpr uint64_t kOneCall = kPage;                 // what a string read asks for at a time

struct Range {
  uint64_t base;
  uint64_t size;
};

void zero(Byte* to, uint64_t size) {
  uint64_t i = 0;
  for (; i + 8 <= size; i += 8) *reinterpret_cast<Word*>(to + i) = 0;
  for (; i < size; ++i) to[i] = 0;
}

void copy(Byte* to, uint64_t from, uint64_t size) {
  const auto* source = reinterpret_cast<const Byte*>(from);
  uint64_t i = 0;
  for (; i + 8 <= size; i += 8)
    *reinterpret_cast<Word*>(to + i) = *reinterpret_cast<const Word*>(source + i);
  for (; i < size; ++i) to[i] = source[i];
}

bool is_user_range(uint64_t from, uint64_t size) {
  return from != 0 && size <= kAddressEnd && from < kAddressEnd - size;
}

// process_vm_readv(own pid, {to, total}, ranges): bytes read, or negative. The
// call changes rcx and r11, which the trampoline has saved; it knows no errno.
int64_t read_ranges(HitContext& hit, Byte* to, const Range* ranges, uint64_t count,
                    uint64_t total) {
  const Range local{reinterpret_cast<uint64_t>(to), total};
  hit.tsc_entry |= kSlowHit;
  int64_t result = 310;  // __NR_process_vm_readv
  register const Range* remote asm("r10") = ranges;
  register uint64_t remote_count asm("r8") = count;
  register uint64_t flags asm("r9") = 0;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(int64_t{hit.site->own_pid}), "S"(&local), "d"(uint64_t{1}), "r"(remote),
                 "r"(remote_count), "r"(flags)
               : "rcx", "r11", "memory");
  return result;
}

uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// How many of the `size` bytes at `from` may be loaded plainly because they lie
// in the thread's stack: from the red zone to the end of the page that was pushed
// onto last.
uint64_t on_stack(const HitContext& hit, uint64_t from, uint64_t size) {
  const uint64_t rsp = hit.regs.rsp;
  const uint64_t end = ((rsp - 1) | (kPage - 1)) + 1;
  if (from < rsp - 128 || from >= end) return 0;
  return smaller(size, end - from);
}

// The same for data of modules that cannot be unmapped.
uint64_t in_static_data(const HitContext& hit, uint64_t from, uint64_t size) {
  for (const StaticRange& range : hit.site->static_ranges) {
    if (range.end == 0) break;
    if (from >= range.begin && from < range.end) return smaller(size, range.end - from);
  }
  return 0;
}

int64_t read_all(HitContext& hit, Byte* to, uint64_t size, uint64_t from) {
  if (size == 0) return 0;
  if (is_user_range(from, size)) {
    const Range range{from, size};
    if (read_ranges(hit, to, &range, 1, size) == static_cast<int64_t>(size)) return 0;
  }
  zero(to, size);
  return kEfault;
}

// As many of the `size` (at most a page) bytes at `from` as are mapped, by a call: how
// many, or not positive.
int64_t read_mapped(HitContext& hit, Byte* to, uint64_t size, uint64_t from) {
  if (!is_user_range(from, size)) return kEfault;
  const uint64_t first = smaller(size, kPage - from % kPage);
  const Range ranges[2] = {{from, first}, {from + first, size - first}};
  return read_ranges(hit, to, ranges, first == size ? 1 : 2, size);
}

// Some of the `size` (at most a page) bytes at `from`, never more: how many, or
// not positive.
int64_t read_some(HitContext& hit, Byte* to, uint64_t size, uint64_t from) {
  uint64_t plain = on_stack(hit, from, size);
  if (plain == 0) plain = in_static_data(hit, from, size);
  if (plain != 0) {
    copy(to, from, plain);
    return static_cast<int64_t>(plain);
  }
  return read_mapped(hit, to, size, from);
}

// Index of the first NUL in [begin, end), or end. Eight bytes at a time: the
// borrow of a subtraction reaches a byte's top bit only where it was zero (or
// above one that was), so the first such bit is right.
uint64_t find_nul(const Byte* text, uint64_t begin, uint64_t end) {
  constexpr uint64_t kLow = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  uint64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    const uint64_t word = *reinterpret_cast<const Word*>(text + i);
    const uint64_t zeros = (word - kLow) & ~word & kHigh;
    if (zeros != 0) return i + static_cast<uint64_t>(__builtin_ctzll(zeros)) / 8;
  }
  while (i < end && text[i] != 0) ++i;
  return i;
}

// The same for characters of `unit` bytes; [begin, end) may end within one, and then what
// is found does not reach there.
uint64_t find_end(const Byte* text, uint64_t begin, uint64_t end, uint64_t unit) {
  if (unit == 1) return find_nul(text, begin, end);
  uint64_t i = begin;
  for (; i + unit <= end; i += unit) {
    uint32_t character = 0;
    for (uint64_t k = 0; k < unit; ++k) character |= text[i + k];
    if (character == 0) break;
  }
  return i;
}

// The text at `from`, up to its end: how many bytes, at most `max`, a multiple of `unit`.
int64_t read_text(HitContext& hit, Byte* bytes, uint64_t max, uint64_t from, uint64_t unit) {
  uint64_t got = 0;
  uint64_t length = 0;
  while (got < max) {
    const int64_t count = read_some(hit, bytes + got, smaller(max - got, kOneCall), from + got);
    if (count <= 0) {
      zero(bytes, max);
      return kEfault;
    }
    got += static_cast<uint64_t>(count);
    length = find_end(bytes, length, got, unit);
    if (length + unit <= got) {
      zero(bytes + length, max - length);
      return static_cast<int64_t>(length);
    }
  }
  return static_cast<int64_t>(max);
}

// The same of the first byte whose top bit is clear.
uint64_t find_full(const Byte* bytes, uint64_t end) {
  constexpr uint64_t kHigh = 0x8080808080808080;
  uint64_t i = 0;
  for (; i + 8 <= end; i += 8) {
    const uint64_t full = ~*reinterpret_cast<const Word*>(bytes + i) & kHigh;
    if (full != 0) return i + static_cast<uint64_t>(__builtin_ctzll(full)) / 8;
  }
  while (i < end && bytes[i] >= 0x80) ++i;
  return i;
}

struct TreeNode {
  Word words[kTreeNodeBytes / sizeof(Word)];
};

// How many of the node's words could be read. A header may be shorter than a node, and
// memory end behind it.
uint64_t read_node(HitContext& hit, TreeNode& node, uint64_t at) {
  auto* bytes = reinterpret_cast<Byte*>(&node);
  if (on_stack(hit, at, kTreeNodeBytes) == kTreeNodeBytes ||
      in_static_data(hit, at, kTreeNodeBytes) == kTreeNodeBytes) {
    copy(bytes, at, kTreeNodeBytes);
    return kTreeNodeBytes / sizeof(Word);
  }
  const int64_t count = read_mapped(hit, bytes, kTreeNodeBytes, at);
  return count > 0 ? static_cast<uint64_t>(count) / sizeof(Word) : 0;
}

// Which word of a node is which.
struct TreeLinks {
  uint64_t left, right, parent;

  [[nodiscard]] bool differ() const { return left != right && left != parent && right != parent; }
};

constexpr uint64_t kWholeNode = kTreeNodeBytes / sizeof(Word);

// The leftmost node of the tree under `at`, whose parent is `above`; 0: it does not fit.
uint64_t leftmost(HitContext& hit, const TreeLinks& links, uint64_t at, uint64_t above) {
  TreeNode node;
  for (uint32_t step = 1; step < kTreeSteps; ++step) {
    if (read_node(hit, node, at) != kWholeNode || node.words[links.parent] != above) return 0;
    if (node.words[links.left] == 0) return at;
    above = at;
    at = node.words[links.left];
  }
  return 0;
}

// The nearest node above `at` on whose left it is, or the header; 0: it does not fit.
uint64_t nearest_above(HitContext& hit, const TreeLinks& links, uint64_t at, uint64_t above) {
  TreeNode node;
  for (uint32_t step = 1; step < kTreeSteps; ++step) {
    const uint64_t count = read_node(hit, node, above);
    if (count > links.left && node.words[links.left] == at) return above;
    if (count != kWholeNode) return 0;
    // The root of its own root is the header.
    if (node.words[links.parent] == at) return above;
    if (node.words[links.right] != at) return 0;
    at = above;
    above = node.words[links.parent];
  }
  return 0;
}

}  // namespace

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_user(HitContext* hit, void* to, uint64_t size,
                                              uint64_t from) {
  auto* bytes = static_cast<Byte*>(to);
  if (on_stack(*hit, from, size) != size && in_static_data(*hit, from, size) != size)
    return read_all(*hit, bytes, size, from);
  copy(bytes, from, size);
  return 0;
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_frame(HitContext* hit, void* to, uint64_t size,
                                               uint64_t from) {
  auto* bytes = static_cast<Byte*>(to);
  if (on_stack(*hit, from, size) != size) return read_all(*hit, bytes, size, from);
  copy(bytes, from, size);
  return 0;
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_static(HitContext* hit, void* to, uint64_t size,
                                                uint64_t from) {
  auto* bytes = static_cast<Byte*>(to);
  if (in_static_data(*hit, from, size) != size) return read_all(*hit, bytes, size, from);
  copy(bytes, from, size);
  return 0;
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_bytes(HitContext* hit, void* to, uint64_t max,
                                               uint64_t from, uint64_t length) {
  const uint64_t size = smaller(max, length);
  const int64_t result = nohalt_read_user(hit, to, size, from);
  zero(static_cast<Byte*>(to) + size, max - size);
  return result < 0 ? result : static_cast<int64_t>(size);
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_string(HitContext* hit, void* to, uint64_t max,
                                                uint64_t from) {
  return read_text(*hit, static_cast<Byte*>(to), max, from, 1);
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_wide(HitContext* hit, void* to, uint64_t max,
                                              uint64_t from, uint64_t unit) {
  if ((unit == 2 || unit == 4) && max % unit == 0)
    return read_text(*hit, static_cast<Byte*>(to), max, from, unit);
  zero(static_cast<Byte*>(to), max);
  return kEfault;
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_read_stack(HitContext* hit, void* to, uint64_t max,
                                               uint64_t from) {
  auto* bytes = static_cast<Byte*>(to);
  uint64_t got = 0;
  while (got < max) {
    const int64_t count = read_some(*hit, bytes + got, smaller(max - got, kOneCall), from + got);
    if (count <= 0) break;
    got += static_cast<uint64_t>(count);
  }
  zero(bytes + got, max - got);
  return static_cast<int64_t>(got);
}

// The instruction cannot fault where the kernel allows it, which the tool has asked for:
// unlike a load from %fs:0, where a thread's control block names its own address, but which
// leads nowhere in a thread that has none.
NOHALT_RUNTIME_ENTRY uint64_t nohalt_thread_pointer(HitContext* /*hit*/) {
  uint64_t base = 0;
  asm volatile("rdfsbase %0" : "=r"(base));
  return base;
}

NOHALT_RUNTIME_ENTRY int64_t nohalt_tree_next(HitContext* hit, void* to, uint64_t size,
                                              uint64_t from, uint64_t packed) {
  auto* bytes = static_cast<Byte*>(to);
  zero(bytes, size);
  const TreeLinks links{packed & 3, packed >> 2 & 3, packed >> 4 & 3};
  TreeNode node;
  if (size != sizeof(Word) || packed >> 6 != 0 || !links.differ()) return kEfault;
  if (read_node(*hit, node, from) != kWholeNode) return kEfault;
  const uint64_t right = node.words[links.right];
  const uint64_t next = right != 0 ? leftmost(*hit, links, right, from)
                                   : nearest_above(*hit, links, from, node.words[links.parent]);
  if (next == 0) return kEfault;
  *reinterpret_cast<Word*>(bytes) = next;
  return 0;
}

// `to` is only where the pieces are put that are looked at.
NOHALT_RUNTIME_ENTRY int64_t nohalt_next_full(HitContext* hit, void* to, uint64_t size,
                                              uint64_t from, uint64_t count) {
  auto* bytes = static_cast<Byte*>(to);
  const uint64_t piece = smaller(size, kTablePiece);
  const uint64_t most = smaller(count, kTableSteps * piece);
  uint64_t seen = 0;
  int64_t result = 0;
  // Each read is of a whole piece but the last, and those that end with memory that may be
  // loaded plainly, which are no calls.
  while (seen < most) {
    const int64_t got = read_some(*hit, bytes, smaller(piece, most - seen), from + seen);
    if (got <= 0) {
      result = kEfault;
      break;
    }
    const uint64_t empty = find_full(bytes, static_cast<uint64_t>(got));
    seen += empty;
    if (empty != static_cast<uint64_t>(got)) break;
  }
  zero(bytes, size);
  return result < 0 ? result : static_cast<int64_t>(seen);
}

}  // namespace nohalt::runtime
