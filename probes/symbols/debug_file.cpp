// Candidates are tried in GDB's order: by build id in each debug folder, then
// by debug link beside the program, in its .debug folder, and under each debug
// folder. A candidate that exists but belongs to another build is refused, and
// said, because values read through it would be wrong.
#include "probes/symbols/debug_file.h"

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <utility>

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

}  // namespace nohalt::symbols
