// The changes that a run makes to the target's text, made one after another, and taken
// back when the object goes without having been kept: pages that are swapped, and code
// of libraries that may be unloaded, which is written in place. What no thread may be
// in the middle of, and all that is written in place, comes last, in one stop.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/pages/page_swap.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/target/remote_thread.h"
#include "src/base/result.h"

namespace nohalt::engines {

class TextChanges {
 public:
  TextChanges(target::RemoteThread& thread, std::chrono::microseconds longest_hold)
      : thread_(thread), longest_hold_(longest_hold) {}
  TextChanges(const TextChanges&) = delete;
  TextChanges& operator=(const TextChanges&) = delete;
  ~TextChanges() { static_cast<void>(undo()); }

  // False where something could not be put back: it still leads into the code.
  bool undo();

  // The jumps of `patches` that lie on this page; others are passed over.
  [[nodiscard]] Status swap(const inline_pages::FilePage& original, RuntimeAddress slot,
                            std::span<const SitePatch> patches);
  [[nodiscard]] Status write(const inline_pages::FilePage& original,
                             std::span<const SitePatch> patches);
  // All of them that take a stop.
  [[nodiscard]] Status finish(std::span<const SitePatch> patches);

  // From then on they stay when this object goes.
  [[nodiscard]] std::vector<inline_pages::SwappedPage> keep_pages();
  [[nodiscard]] std::vector<inline_pages::WrittenText> keep_texts();

 private:
  struct Unfinished {
    inline_pages::OpenPage open;
    std::size_t index;  // in pages_
  };
  [[nodiscard]] Status stand_still(const target::StandStillOrder& order);

  target::RemoteThread& thread_;
  std::chrono::microseconds longest_hold_;
  std::vector<inline_pages::SwappedPage> pages_;
  std::vector<Unfinished> to_stop_for_;
  std::vector<inline_pages::WrittenText> texts_;
};

}  // namespace nohalt::engines
