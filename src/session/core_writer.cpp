#include "src/session/core_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/output/core_file.h"
#include "src/output/whole_file.h"

namespace nohalt::session {

namespace {

std::uint64_t word_of(const locals::ToldRegister<8>& told) {
  std::uint64_t word = 0;
  std::memcpy(&word, told.bytes.data(), sizeof word);
  return word;
}

std::vector<output::CoreFile::File> files_of(const target::DebuggerView& view) {
  std::vector<output::CoreFile::File> files;
  for (const target::Mapping& mapping : view.files)
    files.push_back({mapping.range, mapping.offset, mapping.path});
  return files;
}

std::vector<output::CoreFile::Segment> memory_of(const CoreContents& contents,
                                                 const target::DebuggerView& view) {
  locals::MemoryImage image;
  for (const auto& segment : contents.memory) image.tell(segment.begin, segment.bytes);
  for (const auto& piece : view.memory) image.tell(piece.at, piece.bytes);
  std::vector<output::CoreFile::Segment> memory;
  for (auto& segment : image.segments())
    memory.push_back({segment.begin, std::move(segment.bytes)});
  return memory;
}

}  // namespace

Result<CoreWriter> CoreWriter::prepare(std::string path, pid_t pid, std::string exe) {
  NOHALT_CHECK(output::may_write_file(path));
  CoreWriter writer;
  writer.path_ = std::move(path);
  writer.pid_ = pid;
  writer.exe_ = std::move(exe);
  NOHALT_TRY(writer.view_, target::debugger_view(pid));
  return writer;
}

Result<std::size_t> CoreWriter::write(const output::Hit& hit, const CoreContents& contents) {
  if (contents.memory.empty())
    return fail(ErrorCode::kInternal, "no-stack",
                "There is no core file, since the hit's stack could not be read.",
                "Take a snapshot without one.");
  output::CoreFile core;
  core.pid = pid_;
  core.tid = static_cast<pid_t>(hit.tid);
  core.command = hit.thread;
  core.exe = exe_;
  std::ranges::transform(contents.registers, core.registers.begin(), word_of);
  if (std::ranges::any_of(contents.vectors, [](const auto& told) { return told.is_any_told; })) {
    core.vectors.emplace();
    std::ranges::transform(contents.vectors, core.vectors->begin(),
                           [](const auto& told) { return told.bytes; });
  }
  core.auxiliary = view_.auxiliary;
  core.files = files_of(view_);
  core.memory = memory_of(contents, view_);
  const std::string bytes = output::core_file_bytes(core);
  NOHALT_CHECK(output::write_whole_file(path_, bytes));
  is_written_ = true;
  return bytes.size();
}

}  // namespace nohalt::session
