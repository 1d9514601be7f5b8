// Jumps in the code of a library that may be unloaded: written in place while all
// threads stand still (target/text_patches.h), and written over again with what was
// there. Nothing is moved or mapped, so nothing of ours is left where the library was
// once it is gone; what takes its place, the library itself perhaps, is not touched.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "probes/engines/inline/pages/file_page.h"
#include "probes/runtime/layout.h"
#include "probes/target/remote_thread.h"

namespace nohalt::inline_pages {

// What a control page says instead of a slot.
inline constexpr RuntimeAddress kWrittenInPlace{1};

// The bytes of one site.
struct WrittenText {
  RuntimeAddress at;
  Backing backing;                // of its page
  std::vector<std::byte> before;  // as the file says
  std::vector<std::byte> after;
};

// As prove_file_page, of a page that is to be written to in place. A private copy is
// no hindrance where it has the file's bytes: the last probe left one. Reasons:
// "not-code", "page-differs-from-file", "file-not-readable".
[[nodiscard]] Result<FilePage> prove_text_page(const target::Process& process,
                                               const target::Memory& memory, RuntimeAddress page);

// `bytes` for `at`, which is on the page. Reason "page-boundary".
[[nodiscard]] Result<WrittenText> text_for(const FilePage& page, RuntimeAddress at,
                                           std::span<const std::uint8_t> bytes);
[[nodiscard]] target::TextPatch patch_of(const WrittenText& text);

// What is there now. Once it is not kInstalled it never is again, but by another
// patch_of().
enum class TextState {
  kInstalled,
  kGone,     // the library was unloaded; it may have been loaded again since
  kChanged,  // still the library's, but somebody else has changed it
};
[[nodiscard]] TextState state_of(const WrittenText& text, const target::Maps& maps,
                                 const target::Memory& memory);

struct PutBack {
  std::uint32_t restored = 0;
  std::vector<std::string> unloaded;  // paths of libraries that are gone, each once
  std::vector<std::string> left;      // what had to stay, and why
};
// Writes back what is still there. Fails where the threads cannot be stopped so long;
// then some of it may be back already.
[[nodiscard]] Result<PutBack> put_back(target::RemoteThread& thread,
                                       std::span<const WrittenText> texts,
                                       std::chrono::microseconds longest_hold);

// What a run has written and where, when only its control page's claims are known: the
// bytes at a claimed site that are not the file's and are a jump into nohalt's code.
// What cannot be told so is said in `left`.
[[nodiscard]] Result<std::vector<WrittenText>> find_written(const target::Process& process,
                                                            const target::Memory& memory,
                                                            const runtime::ControlPage& claims,
                                                            std::vector<std::string>& left);

}  // namespace nohalt::inline_pages
