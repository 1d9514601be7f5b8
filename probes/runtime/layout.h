// The one boundary between the tool and the code that runs inside a target:
// the control page, the probes' control blocks, the ring slots, the context of
// a hit, and the table of runtime entry points. Freestanding: included by the
// injected runtime, so nothing but fixed-width integers.
//
// One run maps one memfd (kControlName) into the target and into itself:
//   [ControlPage, one page][ProbeControl x kMaxProbes][CallTable][slots of probe 0]...
// and one private anonymous GatePage, marked MADV_WIPEONFORK, so that a forked
// child finds it zero and its probes dormant. The memfd is sealed against
// shrinking (a mapping of it can then not raise SIGBUS) and its pages are
// allocated before a probe is armed.
//
// Everything there can be written by the target: the tool copies once, then
// validates, and proves nothing from it. What a hit must be able to rely on
// (where it may write, and what it may read without asking) is not there but in
// SiteConstants, which lie beside the code and, like it, are never writable.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nohalt::runtime {

inline constexpr uint64_t kControlMagic = 0x0174'6c61'686f'6eULL;  // "nohalt" and version 1
inline constexpr uint32_t kMaxProbes = 60;                         // sites of one run in one target
inline constexpr uint32_t kCacheLine = 64;
inline constexpr uint32_t kMaxProgramStack = 256;
inline constexpr uint32_t kMaxRecordBody = 60 * 1024;
inline constexpr uint32_t kMaxStaticRanges = 8;
inline constexpr uint32_t kTreeSteps = 32;      // nodes that kTreeNext looks at, at most
inline constexpr uint32_t kTreeNodeBytes = 32;  // that it reads of each
inline constexpr uint32_t kTableSteps = 32;     // pieces that kNextFull looks at, at most
inline constexpr uint32_t kTablePiece = 64;     // bytes of each, at most
inline constexpr uint32_t kMaxHitStack =
    768;  // bytes a hit takes of the target's stack, red zone excluded
inline constexpr uint64_t kSlowHit = uint64_t{1} << 63;  // no time stamp counter gets there
inline constexpr char kControlName[] =
    "nohalt-control";  // memfd names, as /proc/PID/maps shows them
inline constexpr char kCodeName[] = "nohalt-code";
inline constexpr char kPageName[] = "nohalt-page";

// General registers in the order of the kernel's struct pt_regs. `rip` is the
// probed address (not the trampoline's), `rsp` its value at the probed address.
// In the places of orig_rax, cs, eflags and ss is nothing of the target's: no
// variable is ever there, and no program may read them.
struct SavedRegisters {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
  uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
};
static_assert(sizeof(SavedRegisters) == 168);

// Whether the word at this offset is a register of the target's.
constexpr bool is_saved_register(uint64_t offset) {
  return offset < sizeof(SavedRegisters) && offset % 8 == 0 &&
         offset != offsetof(SavedRegisters, orig_rax) && offset != offsetof(SavedRegisters, cs) &&
         offset != offsetof(SavedRegisters, eflags) && offset != offsetof(SavedRegisters, ss);
}

// A swapped page of the target's text, and the slot that its original is in.
struct ArmedPage {
  uint64_t page, slot;
};

struct ArmedRange {
  uint64_t begin, end;
};

struct ControlPage {
  uint64_t magic;
  uint64_t site_count;
  uint64_t generation;  // random, one a run
  int32_t tool_pid;
  int32_t target_pid;
  uint64_t tool_start_time;
  uint64_t target_start_time;
  uint64_t region_size;  // of the whole memfd, bytes
  // Claims for whoever recovers after a killed tool: proven before they are used.
  uint64_t gate_address;  // where the GatePage is in the target
  uint32_t page_count;
  uint32_t code_count;
  ArmedPage pages[kMaxProbes];
  ArmedRange code[kMaxProbes + 1];
  uint64_t site_addresses[kMaxProbes];
  // Not 0: another run has taken this one off, so its tool must end.
  volatile uint64_t removed;
  // Past this time stamp every probe of the run is dormant. The tool moves it
  // forward while it lives (by no more than 1.5 s), never beyond the lease.
  alignas(kCacheLine) volatile uint64_t lease_deadline_tsc;
  // CPU ticks spent in all probes of this run in this target since the tool
  // last cleared it, and what may be spent before all are switched off.
  alignas(kCacheLine) volatile uint64_t cpu_ticks_used;
  uint64_t cpu_ticks_budget;
  uint64_t lease_end_ns;  // by CLOCK_MONOTONIC; 0: not started. For whoever lists what is armed
};
static_assert(sizeof(ControlPage) <= 4096);

// Private to the process and wiped on fork: zero means dormant.
struct GatePage {
  volatile uint32_t open;  // 1: probes may record
};

enum class ProbeState : uint32_t {
  kOff = 0,  // not armed, or removed
  kOn = 1,
  kSwitchedOffCpu = 2,  // by the runtime: the CPU budget was spent
  kLapsed = 4,  // by the runtime: the tool did not renew in time. The tool alone turns it on again
};

// One armed site of a probe. Every hit that passes the gates ends in exactly one
// of `unmatched`, `suppressed` and `next_seq`, so that no more than one counter
// is written a hit; see hits() and matched(). All that a hit needs to be let out
// early, and to be counted then, is in the first line.
struct ProbeControl {
  // Written by the tool. The runtime only ever turns `state` off.
  volatile uint32_t state;  // ProbeState
  uint32_t site;            // index of this block
  // The rate gate. A hit is admitted while next_seq is below seq_limit, and takes
  // the number: the tool grants by moving the limit, so that what was granted is
  // never exceeded, whatever the number of threads, and no clock is read once
  // it is used up.
  volatile uint64_t next_seq;               // hits admitted
  volatile uint64_t seq_limit;              // written by the tool
  volatile uint64_t suppressed;             // matched, but over the rate or past the lease
  volatile uint64_t unmatched;              // condition false or unavailable
  volatile uint64_t dropped;                // matched and admitted, but no free slot
  volatile uint64_t condition_unavailable;  // counted in `unmatched` too
  volatile uint64_t abandoned;              // admitted, then given up by the program
  // Cost, in TSC ticks.
  alignas(kCacheLine) volatile uint64_t cpu_ticks_used;  // cleared by the tool each second
  uint64_t cpu_ticks_budget;           // before this probe is switched off; the tool's
  uint64_t cpu_outlier_ticks;          // no hit is charged more than this; the tool's
  volatile uint64_t cost_ticks_total;  // of timed admitted hits, outliers left out
  volatile uint64_t cost_ticks_worst;
  volatile uint64_t cost_samples;
  volatile uint64_t outliers;
  volatile uint64_t full_cost_ticks;                       // running estimate for an admitted hit
  alignas(kCacheLine) volatile uint64_t quick_cost_ticks;  // the same for one not admitted
  uint32_t slot_count;                                     // power of two
  uint32_t slot_size;     // bytes, header included, multiple of kCacheLine
  uint64_t slots_offset;  // from the start of the control region
  uint64_t reserved[13];

  [[nodiscard]] uint64_t matched() const { return next_seq + suppressed; }
  [[nodiscard]] uint64_t hits() const { return unmatched + matched(); }
};
static_assert(sizeof(ProbeControl) == 256);
static_assert(kMaxProbes * sizeof(ProbeControl) + 4096 <= 5 * 4096);
inline constexpr uint64_t kProbesStart = 4096;  // first ProbeControl's offset in the region

// The calls that were admitted at their entry and whose return is still to be seen.
// A note is one word, so that it is whole at any time: from the top the address of the
// frame without the bits that say which bucket it is in, the probe's first site, and
// the low bits of the call's number. 0: free. A frame is named by the address above
// its return address, which no two live calls of one function share.
inline constexpr uint32_t kCallBuckets = 128;    // power of two
inline constexpr uint32_t kCallsInBucket = 8;    // a cache line of them
inline constexpr uint32_t kCallNumberBits = 21;  // of a note
inline constexpr uint32_t kCallProbeBits = 6;    // of a note, above the number
static_assert(kMaxProbes <= 1U << kCallProbeBits);
struct CallTable {
  volatile uint64_t notes[kCallBuckets][kCallsInBucket];
};
static_assert(sizeof(CallTable) == 2 * 4096);
inline constexpr uint64_t kCallsStart = 5 * 4096;  // the CallTable's offset in the region
inline constexpr uint64_t kSlotsStart = 7 * 4096;  // first slot's offset in the region

enum class SlotState : uint32_t { kFree = 0, kBusy = 1, kReady = 2 };

// What the runtime writes before the body of a record. A writer moves a slot
// from free to kBusy by compare-and-swap of the first eight bytes (all zero when
// free), so that a busy slot always names its owner, and to kReady with release
// order. The reader moves kReady to free, and kBusy to free only once the owner
// is known to be gone.
struct RecordHeader {
  volatile uint32_t state;  // SlotState
  uint32_t owner_tid;       // as the target's own pid namespace numbers it; 0: unknown
  uint32_t site;
  uint32_t body_size;
  uint64_t generation;
  uint64_t seq;
  uint64_t tsc;         // when the rate gate passed
  uint64_t suppressed;  // cumulative, at the time of the hit
  uint64_t dropped;
  uint64_t reserved;
};
static_assert(sizeof(RecordHeader) == kCacheLine);

struct StaticRange {
  uint64_t begin, end;
};

// What is fixed when a site is armed; laid down beside its trampoline, r-x.
// Addresses are the target's.
struct SiteConstants {
  ProbeControl* probe;
  ControlPage* control;
  uint8_t* slots;      // slot 0
  uint64_t slot_mask;  // slot count - 1
  uint64_t generation;
  uint32_t site;       // this and the next as in a record's header
  uint32_t body_size;  // what a record holds, at most slot_size - sizeof(RecordHeader)
  uint32_t slot_size;
  uint32_t tid_offset;  // of the thread id from fs:0; 0: unknown
  int32_t own_pid;      // as the target's own pid namespace numbers it
  uint32_t calls_of;    // the first site of the probe whose calls begin or end here
  // Memory of modules that cannot be unmapped; loaded without asking.
  StaticRange static_ranges[kMaxStaticRanges];
};

// Said to kFinish by a hit that the trampoline let out early, in the place of an
// outcome. The low half is what it cost in ticks; 0: not timed, but the counter
// crossed a boundary (see kQuickBatch), so that a batch is to be charged.
inline constexpr uint64_t kLetOutEarly = uint64_t{1} << 32;
// Hits that are not admitted are charged so many at a time, by whoever brings the
// low byte of the counter to 0; the one that finds kTimedCount in it is timed.
inline constexpr uint64_t kQuickBatch = 256;
inline constexpr uint32_t kTimedCount = 127;

// Of admitted hits without a system call, after the first so many, one in so many
// is timed to its end.
inline constexpr uint64_t kAccountedOneIn = 64;

// What a trampoline lays on the target's stack for a hit: the eBPF context
// (register r1 of the capture program points at its start). The xmm array is
// there only where the program reads it.
struct HitContext {
  SavedRegisters regs;
  const SiteConstants* site;
  // When the hit began, where it was chosen to be timed whole, else 0. kSlowHit
  // is set in it once a system call was made on the way.
  uint64_t tsc_entry;
  uint64_t tsc_begin;  // set by take_token
  uint64_t seq;        // set by take_token
  uint64_t reserved[7];
  uint64_t xmm[16][2];
};
static_assert(offsetof(HitContext, xmm) == 256);
static_assert(offsetof(SiteConstants, body_size) - offsetof(SiteConstants, site) ==
              offsetof(RecordHeader, body_size) - offsetof(RecordHeader, site));

// The entry points of the runtime's code (see runtime_blob.h for their offsets).
// Calling convention: System V, general registers only; every one of them is
// async-signal-safe, takes no lock and calls nothing outside the runtime.
// Where a read fails, `to` is left zeroed, and no byte behind the end of a
// string is left in it.
enum class RuntimeEntry : uint32_t {
  kTakeToken = 0,  // uint64_t (HitContext*)                         1: go on
  kReserve,        // void*    (HitContext*)                         body or null
  kAdmit,          // uint64_t (HitContext*)                         both: body, or as below
  kCommit,         // void     (HitContext*, void* body)
  kAbandon,        // void     (HitContext*, void* body)             slot is free again
  kReadFrame,      // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadStatic,     // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadUser,       // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadBytes,      // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from, uint64_t length)
  kReadString,     // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from)
  kReadStack,      // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from)
  kTreeNext,       // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from, uint64_t links)
  kThreadPointer,  // uint64_t (HitContext*)
  kReadWide,       // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from, uint64_t unit)
  kNextFull,       // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from, uint64_t count)
  kOpenCall,       // uint64_t (HitContext*, uint64_t frame)         as kTakeToken
  kCloseCall,      // uint64_t (HitContext*, uint64_t frame)         as kTakeToken
  kFinish,  // void     (HitContext*, uint64_t outcome)       for the trampoline, not for programs
  kCount,
};

// What kAdmit says where it has no body.
inline constexpr uint64_t kNotAdmitted = 0;
inline constexpr uint64_t kNoSlot = 1;

}  // namespace nohalt::runtime
