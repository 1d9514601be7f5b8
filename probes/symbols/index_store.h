// The index files in the user's cache folder: what was once read of a debug file, for the
// runs that come after. Internal.
//
// $XDG_CACHE_HOME/nohalt/index, or ~/.cache/nohalt/index; /var/cache/nohalt/index for root
// that somebody else logged in as. Without such a folder, or where NOHALT_NO_CACHE is set,
// nothing is kept. Only what the effective user wrote counts: the
// folder and the file are its own, not to be written by others, and no links; the file says
// of which debug file it is, and its checksum is right. Of anything else nothing is read,
// and nobody is told: the debug file says it all. No error of this store ends a run.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

namespace nohalt::symbols {

// Which debug file it is, and what of it.
struct IndexKey {
  std::string kind;      // "sources", "functions"
  std::string build_id;  // lower-case hex
  std::string code;      // where the program that it is of has code
  struct stat file{};
};

[[nodiscard]] std::optional<std::string> read_index(const IndexKey& key);
// Whole or not at all. Beyond 64 MiB the files that were used longest ago go.
void keep_index(const IndexKey& key, std::string_view content);

}  // namespace nohalt::symbols
