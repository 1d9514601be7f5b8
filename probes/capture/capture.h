// Turns bound expressions into the program that captures them at a hit and the
// layout that says where in the record they are.
//
// What policy hides is decided here: a redacted value is never read.
#pragma once

#include <functional>
#include <vector>

#include "probes/capture/layout.h"
#include "probes/capture/redaction.h"
#include "probes/language/bound.h"
#include "probes/program/program.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::capture {

struct CaptureLimits {
  std::uint32_t depth = 3;           // 1: pointers to structs are not followed
  std::uint32_t string_bytes = 256;  // of one text
  std::uint32_t items = 20;          // of one array
  std::uint32_t aggregate_bytes = 4096;
  std::uint32_t pointers = 48;             // followed, of all values together
  std::uint32_t record_bytes = 16 * 1024;  // at most 32 KiB
};

// A class that an object may really be of.
struct DynamicClass {
  const symbols::Type* type = nullptr;
  struct Vtable {
    std::uint64_t address = 0;   // what a vtable pointer in the object is ...
    std::uint64_t distance = 0;  // ... so far from the object's beginning
  };
  std::vector<Vtable> vtables = {};
};
// What an object that is known by this class may really be, the likeliest first.
using DynamicClasses = std::function<std::vector<DynamicClass>(const symbols::Type*)>;

// For a site where calls of a function begin, or end: how a call is told from others. No
// condition goes with it, since a call that none is asked of must be forgotten too.
struct CallSite {
  bool ends = false;
  std::uint16_t dwarf_register = 7;  // plus the distance: the frame's address
  std::int64_t distance = 0;
};

struct CaptureRequest {
  std::vector<language::BoundPtr> values;
  language::BoundPtr condition;  // null: none
  CaptureLimits limits;
  LoadBias bias;
  Redaction redaction;
  std::uint32_t stack_bytes = 0;        // of the stack, with the registers; 0: neither
  std::optional<CallSite> call = {};    // its token is that of a call
  bool has_thread_pointer = false;      // whether a hit may ask for it
  DynamicClasses dynamic_classes = {};  // null: objects are taken for what their type says
};

struct BuiltCapture {
  program::Program program;
  CaptureLayout layout;
};

// Errors: condition-on-redacted, not-computed-in-target (floating-point
// arithmetic in a condition or an index, and what else a program cannot
// compute), expression-too-large, program-too-long, record-too-large.
[[nodiscard]] Result<BuiltCapture> build_capture(const CaptureRequest& request);

// What a variable's state is that has no place.
[[nodiscard]] Why why_unavailable(const symbols::Unavailable& unavailable);

}  // namespace nohalt::capture
