// Putting a swapped page back when all that is known of it are claims: what a
// control page says that a target could have written, or nothing but the list of
// mappings.
//
// Nothing claimed is believed. What belongs at a page follows from the kernel's
// list, which names the file, and the program headers of that image. A parked page is the original
// only if the kernel says it is a private mapping of that file at that offset, and
// its bytes equal the file's (but for breakpoints, file_page.h). Every step may have been done
// before: whatever state a killed run left, recovering leads to the same end.
#pragma once

#include <vector>

#include "probes/engines/inline/pages/file_page.h"
#include "probes/target/remote_thread.h"

namespace nohalt::inline_pages {

enum class Recovery {
  kWasOriginal,     // nothing had to be done to the text
  kMovedBack,       // the parked original went back
  kMappedFromFile,  // the parked original was gone; the file was mapped anew,
                    // which the kernel keeps as a mapping of its own beside its neighbours
  kGone,            // the target has unmapped it; what is there now is not ours
};

// Restores `page` and frees the slot at `parked` (may be 0: unknown; then the page
// comes from the file). Proves the result. Reasons: "page-not-ours" (it is named as ours,
// but no image is around it), "file-replaced", "page-not-restored".
[[nodiscard]] Result<Recovery> recover_page(target::RemoteThread& thread, RuntimeAddress page,
                                            RuntimeAddress parked);

// Pages of code that hold a page named as ours inside a lasting image, and slots
// left elsewhere: what a sweep has to look at. The name decides only that. A
// parked original has no such name, and a lone page of code may be a part of
// another copy of its library (dlmopen): only a control page tells of it.
struct Leftovers {
  std::vector<RuntimeAddress> swapped;
  std::vector<RuntimeAddress> slots;  // reservations, staged changes
};
[[nodiscard]] Result<Leftovers> find_leftovers(const target::Process& process,
                                               const target::Memory& memory);

// Unmaps what is nohalt's at a slot (see kSlotSize) and nothing else.
[[nodiscard]] Status remove_slot(target::RemoteThread& thread, RuntimeAddress slot);

}  // namespace nohalt::inline_pages
