// One page of a target's code as its file says it is, and the proof that the
// target runs just that: the ground on which a page may be swapped.
//
// The bytes come from the file, never from the live page: what is live may hold
// another tool's int3 or a hot patch, which a copy would carry along or destroy.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "probes/target/image.h"
#include "probes/target/maps.h"
#include "probes/target/remote_thread.h"
#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::inline_pages {

using PageBytes = std::array<std::byte, kPageSize>;

// Which bytes of which file belong at a page, by the kernel's list of mappings.
struct Backing {
  target::FileId file;
  std::string path;
  std::uint64_t offset = 0;
  bool main_executable = false;
};

struct FilePage {
  RuntimeAddress page;
  Backing backing;
  PageBytes bytes{};
};

// The file that backs a lasting image's mapping, opened in the tool and shown to
// be the same file. Reason "file-not-readable".
[[nodiscard]] Result<UniqueFd> open_backing(const target::Process& process,
                                            const target::Maps& maps, const Backing& backing);

// Reads the page that belongs at `page`; says nothing about what is there now.
[[nodiscard]] Result<FilePage> read_file_page(const target::Process& process,
                                              const target::Maps& maps, RuntimeAddress page,
                                              const Backing& backing);

// All that must hold before the page may be swapped. Reasons: "not-code",
// "not-a-lasting-image" (dlopened, deleted, anonymous), "holds-file-header",
// "locked-mapping", "sealed-mapping", "huge-page", "page-modified" (a private copy exists: another
// tool's breakpoint, uprobe or hot patch, even if its bytes are as in the file),
// "page-differs-from-file", "file-not-readable".
[[nodiscard]] Result<FilePage> prove_file_page(const target::Process& process,
                                               const target::Memory& memory, RuntimeAddress page);

// The page's entry in /proc/PID/pagemap shows memory that is not the file's.
// As the file says, but for breakpoint instructions. The kernel puts those of a
// uprobe into every mapping of the file, a parked page included, and keeps them
// wherever the mapping is moved: such a page is what belongs there.
[[nodiscard]] bool agrees_but_for_breakpoints(const PageBytes& live, const PageBytes& file);

[[nodiscard]] Result<bool> has_private_copy(pid_t pid, RuntimeAddress page);

}  // namespace nohalt::inline_pages
