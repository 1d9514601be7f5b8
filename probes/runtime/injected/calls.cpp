// Which calls are followed to their return: chosen at the entry, by the rate gate, and
// noted in the call table, where the return looks for its own.
//
// What must never be is that a return is taken for that of another call. A function may
// be left without passing any return that is probed (longjmp, an exception, the end of
// the thread), so notes may be stale; but whoever has the same frame after that entered
// the function anew, and each entry first forgets what was noted for its frame, whether
// it is admitted or not. While the probe of the entries is off nobody forgets, so
// nobody is found either, and the tool empties the table before it turns the probe on
// again.
//
// A frame's words are looked at and changed by its own thread alone, but where a signal
// handler or another thread takes a free word or, in a full bucket, somebody else's.
// Each change is one compare-and-swap or one store of a whole note: what is lost so is
// a note, and then a return is not seen.
#include "probes/runtime/injected/internal.h"

namespace nohalt::runtime {

namespace {

constexpr uint32_t kFrameUnit = 3;  // frames are whole words
constexpr uint32_t kBucketBits = 7;
constexpr uint32_t kKeyShift = kCallNumberBits;
constexpr uint32_t kTagShift = kCallNumberBits + kCallProbeBits;
constexpr uint64_t kFramesEnd = uint64_t{1} << 47;
constexpr uint64_t kNumbers = uint64_t{1} << kCallNumberBits;
static_assert(kCallBuckets == 1U << kBucketBits);
static_assert(47 - kFrameUnit - kBucketBits + kTagShift <= 64);

struct Place {
  volatile uint64_t* bucket;  // null: a frame that no note can name
  uint64_t key;               // a note without the number
};

// The bucket is the low bits of the frame with all others folded over them, since
// the threads' stacks often differ in high bits only. With the bucket known, the high
// bits tell the whole frame.
Place place_of(const SiteConstants& site, uint64_t frame) {
  const uint64_t unit = frame >> kFrameUnit;
  const uint64_t tag = unit >> kBucketBits;
  if ((frame & ((uint64_t{1} << kFrameUnit) - 1)) != 0 || frame >= kFramesEnd || tag == 0)
    return {nullptr, 0};
  uint64_t bucket = unit;
  for (uint64_t rest = tag; rest != 0; rest >>= kBucketBits) bucket ^= rest;
  auto* table = reinterpret_cast<CallTable*>(reinterpret_cast<Byte*>(site.control) + kCallsStart);
  return {table->notes[bucket & (kCallBuckets - 1)],
          tag << kTagShift | uint64_t{site.calls_of} << kKeyShift};
}

bool is_of(uint64_t note, const Place& place) { return (note ^ place.key) >> kKeyShift == 0; }

bool change(volatile uint64_t& note, uint64_t from, uint64_t to) {
  return __atomic_compare_exchange_n(&note, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

// 0 where nothing was noted, else the note.
uint64_t forget(const Place& place) {
  uint64_t found = 0;
  for (uint32_t i = 0; i < kCallsInBucket; ++i) {
    const uint64_t note = load(place.bucket[i]);
    if (note != 0 && is_of(note, place) && change(place.bucket[i], note, 0)) found = note;
  }
  return found;
}

void note_call(const Place& place, uint64_t seq) {
  const uint64_t note = place.key | (seq & (kNumbers - 1));
  for (uint32_t i = 0; i < kCallsInBucket; ++i)
    if (load(place.bucket[i]) == 0 && change(place.bucket[i], 0, note)) return;
  __atomic_store_n(&place.bucket[seq % kCallsInBucket], note, __ATOMIC_RELAXED);
}

ProbeControl& probe_of_entries(const SiteConstants& site) {
  auto* probes =
      reinterpret_cast<ProbeControl*>(reinterpret_cast<Byte*>(site.control) + kProbesStart);
  return probes[site.calls_of];
}

}  // namespace

NOHALT_RUNTIME_ENTRY uint64_t nohalt_open_call(HitContext* hit, uint64_t frame) {
  const Place place = place_of(*hit->site, frame);
  if (place.bucket != nullptr) forget(place);
  if (nohalt_take_token(hit) == 0) return 0;
  if (place.bucket != nullptr) note_call(place, hit->seq);
  return 1;
}

NOHALT_RUNTIME_ENTRY uint64_t nohalt_close_call(HitContext* hit, uint64_t frame) {
  const SiteConstants& site = *hit->site;
  const ProbeControl& entries = probe_of_entries(site);
  // Before the note: what is noted when the entries come on again is empty or new.
  const bool is_on =
      __atomic_load_n(&entries.state, __ATOMIC_ACQUIRE) == static_cast<uint32_t>(ProbeState::kOn);
  const Place place = place_of(site, frame);
  const uint64_t note = place.bucket != nullptr ? forget(place) : 0;
  if (note == 0 || !is_on) return 0;
  const uint64_t now = read_clock();
  if (now >= load(site.control->lease_deadline_tsc)) return 0;
  // The last number with these low bits that was given out.
  const uint64_t last = load(entries.next_seq) - 1;
  hit->seq = last - ((last - note) & (kNumbers - 1));
  hit->tsc_begin = now;
  return 1;
}

}  // namespace nohalt::runtime
