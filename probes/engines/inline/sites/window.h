// Which bytes a probe at one address would change, and how: the choice of a
// window, or the reason why there is none.
//
// What each kind needs, and why:
//  - kJump, kPunnedJump change bytes of one instruction only. A thread in the
//    middle of the function is at some instruction's start, and every start but
//    the probed one means what it meant before: so nobody need be stopped, and
//    it does not matter who branches where. Needed: that the address begins an
//    instruction, that the bytes lie on one page (the page is swapped as one),
//    and for a pun that the bytes it borrows stay as they are.
//  - kEvicted changes two neighbouring instructions, each into a jump of its
//    own: both starts stay meaningful, so the same reasoning holds. The second
//    jump serves only to give the first one's distance bytes other values.
//  - kSeveral overwrites the starts of further instructions, where a thread may be
//    and a branch could arrive. Needed: that all threads are stopped and looked at
//    while it is written, that every branch of the function is known and none leads
//    between the instructions, and that no call but the last may return there. Where
//    a branch target, or the end of control, leaves too little room, the jump may
//    borrow bytes as a punned one does.
//
// Threading: plain values and pure functions.
#pragma once

#include <expected>
#include <functional>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/displaceable.h"
#include "probes/engines/inline/sites/eviction.h"
#include "probes/engines/inline/sites/function_code.h"
#include "probes/engines/inline/sites/jump_form.h"
#include "probes/engines/inline/sites/refusal.h"
#include "src/base/address.h"

namespace nohalt::inline_sites {

enum class WindowKind : std::uint8_t { kJump, kPunnedJump, kEvicted, kSeveral };

// The bytes that an armed probe owns and those that it only relies on.
struct ProbeBytes {
  LinkRange changed;
  LinkRange relied;  // contains `changed`
};

struct Window {
  WindowKind kind = WindowKind::kJump;
  LinkAddress address;
  // Most bytes, from `address` on, that may change; of kSeveral all that are displaced.
  std::uint8_t changed = 0;
  std::uint8_t relied = 0;             // most bytes that must stay as they are once it is armed
  std::vector<Instruction> displaced;  // in order, from `address`
  // kEvicted: the instruction behind the displaced one, which is displaced too,
  // into code of its own without a probe; and the pairs of jumps that serve.
  Instruction successor;
  std::vector<Eviction> evictions;
  // All other kinds: the jumps that serve, widest first.
  std::vector<JumpForm> forms;

  [[nodiscard]] ProbeBytes probe_bytes() const {
    return {{address, address + changed}, {address, address + relied}};
  }
  // Where control goes on after the displaced instructions.
  [[nodiscard]] LinkAddress resume() const;
};

// True where a trampoline could be placed for the jump at the address, its
// spacing() included. A default (empty) function accepts all.
using Placeable = std::function<bool(const JumpForm&, LinkAddress)>;

struct SiteContext {
  TargetTraits target;
  std::span<const ProbeBytes> other_probes;
  Placeable placeable;
  bool allow_eviction = false;
  bool allow_stop = false;
  // Bytes behind a return that may be written over: nothing is there.
  std::uint64_t padding = 0;
};

// The window to use at `pc`, in the order of the kinds above.
[[nodiscard]] std::expected<Window, SiteRefusal> choose_window(const FunctionCode& code,
                                                               LinkAddress pc,
                                                               const SiteContext& context);

}  // namespace nohalt::inline_sites
