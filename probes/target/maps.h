// The mappings of a process, as /proc/PID/maps and /proc/PID/smaps show them.
// Parsing is pure; only read_maps and read_mapping_facts touch the system. A
// listing is a moment's view: the target may map and unmap while it is read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

// The file behind a mapping, as the kernel numbers it.
struct FileId {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

struct Mapping {
  RuntimeRange range;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  std::uint64_t offset = 0;  // in the file, bytes
  FileId file;               // inode 0: no file
  std::string path;          // unescaped; "[stack]" and kin as shown; without " (deleted)"
  bool deleted = false;      // the file has no name any more

  friend bool operator==(const Mapping&, const Mapping&) = default;
  [[nodiscard]] bool anonymous() const { return file.inode == 0; }
};

class Maps {
 public:
  Maps() = default;
  explicit Maps(std::vector<Mapping> sorted) : mappings_(std::move(sorted)) {}

  [[nodiscard]] const std::vector<Mapping>& all() const { return mappings_; }
  // The mapping that holds the address, or null.
  [[nodiscard]] const Mapping* find(RuntimeAddress address) const;
  [[nodiscard]] bool overlaps(const RuntimeRange& range) const;

  friend bool operator==(const Maps&, const Maps&) = default;

 private:
  std::vector<Mapping> mappings_;
};

// What /proc/PID/smaps says of one mapping. Kilobytes are given as bytes.
struct MappingFacts {
  std::vector<std::string> flags;  // VmFlags, such as "lo" (locked), "sl" (sealed), "ht" (huge)
  std::uint64_t private_dirty = 0;
  std::uint64_t anonymous = 0;
  std::uint64_t huge = 0;  // mapped by huge pages of any kind
  [[nodiscard]] bool has_flag(std::string_view flag) const;
};

[[nodiscard]] Result<Maps> parse_maps(std::string_view text);
[[nodiscard]] Result<Maps> read_maps(pid_t pid);

// The facts of the mapping that starts at `start`; reason "no-such-mapping".
[[nodiscard]] Result<MappingFacts> parse_mapping_facts(std::string_view smaps,
                                                       RuntimeAddress start);
[[nodiscard]] Result<MappingFacts> read_mapping_facts(pid_t pid, RuntimeAddress start);

}  // namespace nohalt::target
