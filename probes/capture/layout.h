// Which value lies where in a record's body: written by the capture builder,
// read by the decoder.
//
// A record is what a program wrote in memory that the target can write too, so
// the decoder believes nothing in it: offsets and bounds come from here alone.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/language/bound.h"
#include "probes/symbols/types.h"

namespace nohalt::capture {

// What is known of a value (the record format's `state`).
enum class ValueState { kExact, kTruncated, kOptimizedOut, kUnreadable, kRedacted, kUnavailable };

// A value that is not there, and why.
struct Why {
  ValueState state = ValueState::kUnavailable;
  std::string text;
  std::string rule = {};    // kRedacted: what stands in its place names it; empty: nothing does
  bool is_dropped = false;  // kRedacted: it is not even mentioned
};

// The status byte that a program writes beside what it may fail to read.
inline constexpr std::uint8_t kStatusCaptured = 1;
inline constexpr std::uint8_t kStatusFirstWhy = 16;  // 16 + i: not captured, because of whys[i]
inline constexpr std::size_t kMaxWhys = 255 - kStatusFirstWhy;

inline constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

// Bytes [begin, end) of a node that were not copied.
struct Hole {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  Why why;
  std::string path = {};  // kRedacted: of what is hidden; of several, one after the other
};

struct Follow;
struct Items;

struct Node {
  enum class Kind {
    kBytes,     // `size` raw bytes at `data`, of `type`
    kText,      // at most `size` characters at `data`; how many is the u32 at `length`
    kItems,     // `items` of a container of `type`; the status says whether it was looked into
    kConstant,  // `constant` is the value, known without the target
    kAbsent,    // nothing was captured: `absent`
  };
  Kind kind = Kind::kAbsent;
  const symbols::Type* type = nullptr;
  std::uint32_t status = kNowhere;  // offset of the status byte; kNowhere: cannot fail
  std::vector<Why> whys;
  std::uint32_t data = 0;
  std::uint32_t size = 0;
  std::uint32_t length = 0;
  bool text_may_go_on = true;  // kText: `size` characters mean that there may be more
  std::vector<std::uint8_t> constant;
  Why absent;
  // A bitfield: its lowest bit in the bytes, and its width. 0: none.
  std::uint32_t bit_offset = 0;
  std::uint32_t bit_size = 0;
  std::vector<Hole> holes;
  std::vector<Follow> follows;
  std::unique_ptr<Items> items;
};

// What byte `at` of a node's bytes leads to: a pointer that is there, or the text
// (kText) or the container (kItems) that begins there, whose `type` it then has.
struct Follow {
  std::uint64_t at = 0;
  std::unique_ptr<Node> node;
};

// What a container held when it was walked. Of `slots` those before the u32 at
// `walked` were come to, each with a status of its own; the byte at `end` says why
// there are no more. A container may be changed while it is walked: what does not
// fit together ends the walk and says so, and what was walked before is shown.
struct Items {
  enum class Kind {
    kSequence,  // in the container's order
    kBits,      // bools, the lowest bit of the `bits_size` bytes at `bits` first; no slots
    kSet,
    kMap,       // each item is a pair
    kOptional,  // no item, or one
    kVariant,   // the u64 at `count` says which slot has the value; none: past the last
    kPointer,   // owns or shares one item: none where the u64 at `count`, its address, is 0
    kObject,    // what a pointer leads to, of a class whose objects tell what they really are:
                // the u64 at `count` is its vtable pointer, the u32 at `walked` its slot, of
                // which the last is what the pointer says
  };
  Kind kind = Kind::kSequence;
  const symbols::Type* item = nullptr;  // null: of several types
  std::vector<Node> slots;
  std::vector<Node> values;         // kMap whose values lie apart from the keys, which `slots` are
  std::uint32_t count = kNowhere;   // a u64: how many there are; kNowhere: it does not say
  std::uint32_t walked = kNowhere;  // kNowhere: no slot was to be walked
  std::uint32_t end = kNowhere;
  std::uint32_t bits = kNowhere;
  std::uint32_t bits_size = 0;
  // kPointer, where it counts its owners: two u64, those that share, those that watch.
  std::uint32_t uses = kNowhere;
  std::uint32_t watchers = kNowhere;
  // kObject: how far from its beginning an object with this vtable pointer is pointed to.
  std::map<std::uint64_t, std::uint64_t> distances = {};
};

// The byte at `end`.
inline constexpr std::uint8_t kEndAll = 1;                     // there are no more
inline constexpr std::uint8_t kEndMore = 2;                    // there are more than slots
inline constexpr std::uint8_t kEndFirstWhy = kStatusFirstWhy;  // + i: whys[i] of its node

// The registers and the stack of a hit, from kBelowStack below rsp upward.
struct StackLayout {
  std::uint32_t registers = 0;  // offset of a runtime::SavedRegisters, as far as a hit sets them
  std::uint32_t length = 0;     // offset of a u32: how much of `size` was there
  std::uint32_t data = 0;
  std::uint32_t size = 0;
};
// The red zone: below rsp, and yet the frame's.
inline constexpr std::uint64_t kBelowStack = 128;

struct CaptureLayout {
  std::uint32_t record_size = 0;
  std::uint32_t max_items = 20;  // elements of an array that are shown
  std::vector<language::BoundPtr> values;
  // The node of each expression node that was captured.
  std::vector<Node> nodes;
  std::map<const language::Expr*, std::size_t> node_of;
  std::optional<StackLayout> stack;
  std::uint32_t frame = kNowhere;  // of a CallSite: offset of a u64, the frame's address
};

}  // namespace nohalt::capture
