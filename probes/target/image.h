// The ELF files that the dynamic loader put into a process and that stay there:
// the main executable, and the libraries it needs by DT_NEEDED, directly or
// through one another. A library that came by dlopen is not among them, because
// it can vanish between a check and what follows.
//
// Headers are read from the target's memory, so all of it is the target's own
// claim; it decides only where the target itself would be touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/target/maps.h"
#include "probes/target/memory.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

struct Segment {
  LinkRange memory;               // p_vaddr, p_memsz
  std::uint64_t file_offset = 0;  // p_offset
  bool writable = false;
  bool executable = false;
};

struct Image {
  std::string path;  // as mapped
  FileId file;
  LoadBias bias;
  bool main_executable = false;
  bool interpreter = false;  // the dynamic loader itself
  std::vector<Segment> segments;
};

class Images {
 public:
  [[nodiscard]] static Result<Images> read(pid_t pid, const Maps& maps, const Memory& memory);

  [[nodiscard]] const std::vector<Image>& all() const { return images_; }
  // The lasting image that this file-backed mapping belongs to, or null.
  [[nodiscard]] const Image* of(const Mapping& mapping) const;
  // It maps the file of a lasting image, wherever that is.
  [[nodiscard]] bool is_page_of(const Mapping& mapping) const;
  // The C library gives the unused ends of pages to its allocator (musl does).
  [[nodiscard]] bool page_ends_in_use() const { return page_ends_in_use_; }

 private:
  std::vector<Image> images_;
  bool page_ends_in_use_ = false;
};

}  // namespace nohalt::target
