// Candidates are tried in GDB's order: by build id in each debug folder, then
// by debug link beside the program, in its .debug folder, and under each debug
// folder. A candidate that exists but belongs to another build is refused, and
// said, because values read through it would be wrong.
#include "probes/symbols/debug_file.h"

#include <climits>
#include <cstdlib>
#include <filesystem>

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

Status find_separate(DebugFile& file, const std::string& path, const std::string& name,
                     const std::vector<std::string>& debug_dirs) {
  std::string refused;
  for (const Candidate& candidate : candidates(file.program, path, debug_dirs)) {
    if (::access(candidate.path.c_str(), R_OK) != 0) continue;
    Result<ElfImage> other = ElfImage::open(candidate.path, candidate.path);
    if (!other || !other->has_debug_info()) continue;
    if (!belongs(file.program, *other, candidate)) {
      refused = candidate.path;
      continue;
    }
    file.separate = std::move(*other);
    file.path = candidate.path;
    return {};
  }
  if (refused.empty()) return no_debug_info(name, file.program);
  return fail(ErrorCode::kUsage, "build-id-mismatch",
              refused + " belongs to another build than " + name + " (build id " +
                  file.program.build_id() + ").",
              "Supply the debug file of exactly this build.");
}

}  // namespace

Result<DebugFile> open_debug_file(const std::string& path, const std::string& name,
                                  const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY(ElfImage program, ElfImage::open(path, name));
  DebugFile file{.program = std::move(program), .separate = {}, .path = {}, .dwarf = {}};
  if (!file.program.has_debug_info()) NOHALT_CHECK(find_separate(file, path, name, debug_dirs));
  const ElfImage& holder = file.separate ? *file.separate : file.program;
  file.dwarf.reset(dwarf_begin_elf(holder.elf(), DWARF_C_READ, nullptr));
  if (!file.dwarf) {
    return fail(ErrorCode::kUsage, "malformed-dwarf",
                "The debug information of " + name + " cannot be read.",
                "Rebuild the program, or supply an undamaged debug file.");
  }
  return file;
}

}  // namespace nohalt::symbols
