// The code that a process has mapped, and the ELF files it came from: all that
// unwinding asks besides the captured bytes.
//
// The files are opened at once, so that what they say is had even after the
// process has ended; each is read only when a frame lies in it. A file counts
// only if it is the very one that is mapped (its inode): unwinding by another
// build's tables gives wrong frames.
//
// Threading: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/unwind_table.h"
#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/unique_fd.h"

namespace nohalt::stacks {

// What a pc in a probe's own code stands for.
struct ProbeCode {
  RuntimeAddress site;
  bool is_as_at_site = false;  // the registers, rsp too, are what they are at the site
};

struct ImageOptions {
  // Where the process's files are: /proc/PID. Empty: paths are taken as they are.
  std::string process_folder = {};
  std::vector<std::string> debug_dirs = {};
  // The vdso's bytes. Empty: the tool's own, which is the same under the same kernel.
  std::span<const std::byte> vdso = {};
  // Debug information that is open already; serves the image of the same build id.
  const symbols::DebugInfo* known = nullptr;
  // Tells code that probes brought along from the program's; may be empty.
  std::function<std::optional<ProbeCode>(RuntimeAddress)> probe_code = {};
};

class Image {
 public:
  Image(std::string path, std::string name) : path_(std::move(path)), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }  // as mapped
  // Null: the file cannot be read as ELF.
  [[nodiscard]] const symbols::UnwindTable* table(const ImageOptions& options);
  // Null: there is none.
  [[nodiscard]] const symbols::DebugInfo* debug_info(const ImageOptions& options);

 private:
  std::string path_;  // of the opened file
  std::string name_;
  bool is_table_read_ = false;
  bool is_info_read_ = false;
  std::unique_ptr<symbols::UnwindTable> table_;
  std::unique_ptr<symbols::DebugInfo> info_;
};

// An address as its file names it.
struct CodePlace {
  Image* image = nullptr;
  LinkAddress address;
  LoadBias bias;
};

class UnwindImages {
 public:
  UnwindImages(const target::Maps& maps, ImageOptions options);

  // Absent: the address is not in code that a readable file was mapped to.
  [[nodiscard]] std::optional<CodePlace> find(RuntimeAddress address) const;
  // It is mapped executable, from whatever file or none.
  [[nodiscard]] bool is_code(RuntimeAddress address) const;
  [[nodiscard]] std::optional<ProbeCode> probe_code(RuntimeAddress address) const;
  // The bytes from this address on, at most `size`, as far as they are what the file
  // holds and nobody may write there; empty: they are not.
  [[nodiscard]] std::vector<std::uint8_t> constants(RuntimeAddress address,
                                                    std::uint64_t size) const;
  // Each file that has code, by the beginning of that code.
  [[nodiscard]] std::vector<CodePlace> files() const;
  [[nodiscard]] const symbols::UnwindTable& table(const CodePlace& place) const;
  [[nodiscard]] const symbols::DebugInfo* debug_info(const CodePlace& place) const;

 private:
  struct Stretch {
    RuntimeRange range;
    std::uint64_t offset = 0;
    Image* image = nullptr;  // null: no file, or none that can be read
  };
  [[nodiscard]] Image* open(const target::Mapping& mapping);
  [[nodiscard]] Image* opened(const target::Mapping& mapping) const;  // null: it is not
  [[nodiscard]] UniqueFd open_file(const target::Mapping& mapping) const;
  [[nodiscard]] static const Stretch* stretch_at(const std::vector<Stretch>& stretches,
                                                 RuntimeAddress address);

  ImageOptions options_;
  std::vector<UniqueFd> files_;
  std::vector<std::pair<target::Mapping, std::unique_ptr<Image>>> images_;
  std::vector<Stretch> stretches_;  // of code, by address
  std::vector<Stretch> constants_;  // of what is neither code nor written to, by address
};

}  // namespace nohalt::stacks
