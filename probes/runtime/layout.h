// The one boundary between the tool and the code that runs inside a target:
// the control page, the probes' control blocks, the ring slots, the context of
// a hit, and the table of runtime entry points. Freestanding: included by the
// injected runtime, so nothing but fixed-width integers.
//
// One run maps one memfd (kControlName) into the target and into itself:
//   [ControlPage, one page][ProbeControl x kMaxProbes][slots of probe 0][slots of probe 1]...
// and one private anonymous GatePage, marked MADV_WIPEONFORK, so that a forked
// child finds it zero and its probes dormant.
//
// Everything here can be written by the target: the tool copies once, then
// validates, and proves nothing from it (see docs/architecture.md).
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nohalt::runtime {

inline constexpr uint64_t kControlMagic = 0x0174'6c61'686f'6eULL;  // "nohalt" and version 1
inline constexpr uint32_t kLayoutVersion = 1;
inline constexpr uint32_t kMaxProbes = 60;   // sites of one run in one target
inline constexpr uint32_t kCacheLine = 64;
inline constexpr uint32_t kMaxProgramStack = 256;
inline constexpr uint32_t kMaxRecordBody = 60 * 1024;
inline constexpr char kControlName[] = "nohalt-control";  // memfd names, as /proc/PID/maps shows them
inline constexpr char kCodeName[] = "nohalt-code";
inline constexpr char kPageName[] = "nohalt-page";

// General registers in the order of the kernel's struct pt_regs. `rip` is the
// probed address (not the trampoline's), `rsp` its value at the probed address.
struct SavedRegisters {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
  uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
};
static_assert(sizeof(SavedRegisters) == 168);

struct ControlPage {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t site_count;
  uint64_t generation;  // random, one a run
  int32_t tool_pid;
  int32_t target_pid;
  uint64_t tool_start_time;
  uint64_t target_start_time;
  uint64_t region_size;    // of the whole memfd, bytes
  uint64_t gate_address;   // where the GatePage is in the target
  uint64_t code_address;   // where kCodeName is mapped
  uint64_t code_size;
  // Past this time stamp every probe of the run is dormant. The tool moves it
  // forward while it lives (by no more than 1.5 s), never beyond the lease.
  alignas(kCacheLine) volatile uint64_t lease_deadline_tsc;
  // CPU ticks spent in all probes of this run in this target since the tool
  // last cleared it, and what may be spent before all are switched off.
  alignas(kCacheLine) volatile uint64_t cpu_ticks_used;
  uint64_t cpu_ticks_budget;
};
static_assert(sizeof(ControlPage) <= 4096);

// Private to the process and wiped on fork: zero means dormant.
struct GatePage {
  volatile uint32_t open;  // 1: probes may record
};

enum class ProbeState : uint32_t {
  kOff = 0,            // not armed, or removed
  kOn = 1,
  kSwitchedOffCpu = 2,  // by the runtime: the CPU budget was spent
  kSwitchedOffBytes = 3,
};

// One armed site of a probe. Fields on one cache line are written by one side.
struct ProbeControl {
  // Written by the tool.
  volatile uint32_t state;  // ProbeState; the runtime only ever turns it off
  uint32_t site;            // index of this block
  uint32_t slot_count;      // power of two
  uint32_t slot_size;       // bytes, header included, multiple of kCacheLine
  uint64_t slots_offset;    // from the start of the control region
  uint64_t cpu_ticks_budget;   // before this probe is switched off
  uint64_t cpu_outlier_ticks;  // a hit dearer than this was preempted: not charged
  uint32_t tid_offset;         // of the thread id from fs:0; 0: unknown
  uint32_t reserved0;
  // Refilled by the tool each tenth of a second, taken by hits. None left: the
  // hit is suppressed without reading a clock.
  alignas(kCacheLine) volatile int64_t tokens;
  volatile uint64_t cpu_ticks_used;  // cleared by the tool each second
  alignas(kCacheLine) volatile uint64_t hits;
  alignas(kCacheLine) volatile uint64_t matched;  // condition true (or none)
  volatile uint64_t suppressed;  // matched, but over the rate or past the lease
  volatile uint64_t dropped;     // matched and admitted, but no free slot
  volatile uint64_t next_seq;    // per probe; admitted hits
  volatile uint64_t condition_unavailable;
  volatile uint64_t cost_ticks_total;  // of timed hits, outliers left out
  volatile uint64_t cost_ticks_worst;
  volatile uint64_t cost_samples;
};
static_assert(sizeof(ProbeControl) == 256);
static_assert(kMaxProbes * sizeof(ProbeControl) + 4096 <= 5 * 4096);
inline constexpr uint64_t kSlotsStart = 5 * 4096;  // first slot's offset in the region

enum class SlotState : uint32_t { kFree = 0, kBusy = 1, kReady = 2 };

// What the runtime writes before the body of a record. A writer moves a slot
// from kFree to kBusy by compare-and-swap, and to kReady with release order.
// The reader moves kReady to kFree, and kBusy to kFree only once the owner is
// known to be gone.
struct RecordHeader {
  volatile uint32_t state;  // SlotState
  uint32_t owner_tid;       // as the target's own pid namespace numbers it; 0: unknown
  uint32_t site;
  uint32_t body_size;
  uint64_t generation;
  uint64_t seq;
  uint64_t tsc;             // when the rate gate passed
  uint64_t suppressed;      // cumulative, at the time of the hit
  uint64_t dropped;
  uint64_t reserved;
};
static_assert(sizeof(RecordHeader) == kCacheLine);

// What a trampoline lays on the target's stack for a hit: the eBPF context
// (register r1 of the capture program points at its start). The xmm array is
// there only where the program reads it.
struct HitContext {
  SavedRegisters regs;
  ProbeControl* probe;
  ControlPage* control;
  uint64_t tsc_begin;  // set by take_token
  uint64_t seq;        // set by take_token
  uint64_t reserved[7];
  uint64_t xmm[16][2];
};
static_assert(offsetof(HitContext, xmm) == 256);

// Order of the entry points in the table at the start of the runtime's code.
// Calling convention: System V, general registers only; every one of them is
// async-signal-safe, takes no lock and calls nothing outside the runtime.
enum class RuntimeEntry : uint32_t {
  kTakeToken = 0,   // uint64_t (HitContext*)                         1: go on
  kReserve,         // void*    (HitContext*)                         body or null
  kCommit,          // void     (HitContext*, void* body)
  kAbandon,         // void     (HitContext*, void* body)             slot is free again
  kReadFrame,       // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadStatic,      // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadUser,        // int64_t  (HitContext*, void* to, uint64_t size, uint64_t from)
  kReadBytes,       // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from, uint64_t length)
  kReadString,      // int64_t  (HitContext*, void* to, uint64_t max, uint64_t from)
  kCount,
};

}  // namespace nohalt::runtime
