// Candidates are tried in GDB's order: by build id in each debug folder, then
// by debug link beside the program, in its .debug folder, and under each debug
// folder. A candidate that exists but belongs to another build is refused, and
// said, because values read through it would be wrong.
#include "probes/symbols/debug_file.h"

#include <elfutils/libdwelf.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "src/base/escape.h"

namespace nohalt::symbols {

namespace {

constexpr const char* kSystemDebugFolder = "/usr/lib/debug";

struct Candidate {
  std::string path;
  std::optional<std::uint32_t> crc;  // to be equal, where found by debug link
};

std::string folder_of(const std::string& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::read_symlink(path, error);
  if (error || real.is_relative()) real = std::filesystem::canonical(path, error);
  return error ? std::string{} : real.parent_path().string();
}

std::vector<Candidate> candidates(const ElfImage& program, const std::string& path,
                                  std::vector<std::string> folders) {
  folders.emplace_back(kSystemDebugFolder);
  std::vector<Candidate> found;
  const std::string& id = program.build_id();
  if (id.size() > 2) {
    for (const std::string& folder : folders) {
      found.push_back(
          {folder + "/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug", std::nullopt});
    }
  }
  const std::optional<DebugLink> link = program.debug_link();
  if (!link || link->file.find('/') != std::string::npos) return found;
  const std::string beside = folder_of(path);
  if (!beside.empty()) {
    found.push_back({beside + "/" + link->file, link->crc});
    found.push_back({beside + "/.debug/" + link->file, link->crc});
  }
  for (const std::string& folder : folders) {
    if (!beside.empty()) found.push_back({folder + beside + "/" + link->file, link->crc});
    found.push_back({folder + "/" + link->file, link->crc});
  }
  return found;
}

bool belongs(const ElfImage& program, const ElfImage& other, const Candidate& candidate) {
  if (!program.build_id().empty() && !other.build_id().empty())
    return program.build_id() == other.build_id();
  if (!candidate.crc) return false;
  const Result<std::uint32_t> crc = other.crc();
  return crc && *crc == *candidate.crc;
}

std::unexpected<Error> no_debug_info(const std::string& name, const ElfImage& program) {
  const std::string id =
      program.build_id().empty() ? "no build id" : "build id " + program.build_id();
  return fail(ErrorCode::kUsage, "no-debug-info",
              name + " (" + id + ") holds no debug information and no separate file was found.",
              "Build it with -g, install its debug package, or name the folder that holds " +
                  (program.build_id().size() > 2 ? ".build-id/" + program.build_id().substr(0, 2) +
                                                       "/" + program.build_id().substr(2) + ".debug"
                                                 : std::string("its debug file")) +
                  " with --debug-dir.");
}

// libdw opens it by its build id or its name, and does not compare.
bool is_of_build(Dwarf* shared, const void* id, std::size_t size) {
  const void* own = nullptr;
  const ssize_t own_size = dwelf_elf_gnu_build_id(dwarf_getelf(shared), &own);
  return own_size > 0 && static_cast<std::size_t>(own_size) == size &&
         std::memcmp(own, id, size) == 0;
}

}  // namespace

Result<std::shared_ptr<DebugFile>> DebugFile::open(const std::string& path, const std::string& name,
                                                   const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY(ElfImage program, ElfImage::open(path, name));
  std::shared_ptr<DebugFile> file(new DebugFile(std::move(program)));
  if (file->program_.has_debug_info()) return file;
  if (Status found = file->find_separate(path, name, debug_dirs); !found)
    file->missing_ = std::move(found.error());
  return file;
}

Status DebugFile::find_separate(const std::string& path, const std::string& name,
                                const std::vector<std::string>& debug_dirs) {
  std::string refused;
  for (const Candidate& candidate : candidates(program_, path, debug_dirs)) {
    if (::access(candidate.path.c_str(), R_OK) != 0) continue;
    Result<ElfImage> other = ElfImage::open(candidate.path, candidate.path);
    if (!other || !other->has_debug_info()) continue;
    if (!belongs(program_, *other, candidate)) {
      refused = candidate.path;
      continue;
    }
    separate_ = std::move(*other);
    path_ = candidate.path;
    return {};
  }
  if (refused.empty()) return no_debug_info(name, program_);
  return fail(ErrorCode::kUsage, "build-id-mismatch",
              refused + " belongs to another build than " + name + " (build id " +
                  program_.build_id() + ").",
              "Supply the debug file of exactly this build.");
}

Status DebugFile::check() const {
  if (missing_) return std::unexpected(*missing_);
  return {};
}

Dwarf* DebugFile::dwarf() {
  if (!missing_ && !std::exchange(is_begun_, true)) {
    const ElfImage& holder = separate_ ? *separate_ : program_;
    dwarf_.reset(dwarf_begin_elf(holder.elf(), DWARF_C_READ, nullptr));
  }
  return dwarf_.get();
}

// Names and types of this file's code are in the other one: without it, rules that go by
// names would not know what they hide.
Status DebugFile::check_shared() {
  const ElfImage& holder = separate_ ? *separate_ : program_;
  const bool is_dwarf5 = holder.has_section(".debug_sup");
  if (dwarf() == nullptr || (!is_dwarf5 && !holder.has_section(".gnu_debugaltlink"))) return {};
  const char* name = nullptr;
  const void* id = nullptr;
  const ssize_t size = dwelf_dwarf_gnu_debugaltlink(dwarf_.get(), &name, &id);
  Dwarf* shared = size > 0 ? dwarf_getalt(dwarf_.get()) : nullptr;
  if (!is_dwarf5 && shared != nullptr && is_of_build(shared, id, static_cast<std::size_t>(size)))
    return {};
  if (is_dwarf5) {
    return fail(ErrorCode::kUsage, "no-shared-debug-file",
                "Part of the debug information was moved to a file that programs share, in the "
                "form of DWARF 5 (.debug_sup), which is not read.",
                "Run dwz without --dwarf-5, or use the debug information as it was before.");
  }
  return fail(ErrorCode::kUsage, "no-shared-debug-file",
              "Part of the debug information was moved to " +
                  escape_untrusted(size > 0 ? name : "another file").text +
                  ", which is not there or not of this build.",
              "Install the debug package that holds it, or put it there.");
}

}  // namespace nohalt::symbols
