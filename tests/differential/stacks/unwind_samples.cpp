// Unwinds what stacks_test.py collected. One command a line on stdin:
//
//   maps FILE            the process's mappings
//   folder PATH          /proc/PID, or - for files as they are named
//   sample NAME BEGIN HEX R0 .. R16
//                        the stack's bytes and the registers (hex, by DWARF number);
//                        HEX may be -
//
// Answers each sample with `ending NAME ENDING WHY` before its frames, innermost
// first: `frame KIND PC FUNCTION FILE LINE MODULE KEPT...`, apart by tabs; `-` is
// nothing. KEPT are the registers that calls preserve: rbx rbp rsp r12 to r15.
#include <iostream>
#include <memory>
#include <sstream>

#include "probes/stacks/symbolise.h"
#include "probes/stacks/unwind.h"
#include "src/base/file.h"

namespace nohalt::stacks {
namespace {

const char* name_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::kFirst:
    case FrameKind::kNormal:
      return "normal";
    case FrameKind::kSignal:
      return "signal";
    case FrameKind::kInlined:
      return "inlined";
  }
  return "?";
}

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

void print(std::optional<std::uint64_t> value) {
  std::cout << "\t";
  if (value)
    std::cout << std::hex << *value << std::dec;
  else
    std::cout << "-";
}

void answer(std::istringstream& words, const UnwindImages& images) {
  std::string name;
  std::string hex;
  CapturedStack captured;
  words >> name >> std::hex >> captured.stack_begin.value >> hex;
  for (auto& each : captured.registers) words >> each.emplace();
  const std::vector<std::byte> bytes = from_hex(hex);
  captured.bytes = bytes;
  const Result<Unwound> unwound = unwind(captured, images, {.max_frames = 1000});
  if (!unwound) {
    std::cout << "ending\t" << name << "\terror\t" << unwound.error().message << "\n";
    return;
  }
  std::cout << "ending\t" << name << "\t" << stacks::name_of(unwound->ending) << "\t"
            << or_dash(unwound->why) << "\n";
  for (const NamedFrame& frame : symbolise(unwound->frames, images)) {
    const Frame& physical = unwound->frames[frame.frame];
    std::cout << "frame\t" << name_of(frame.kind) << "\t" << std::hex << physical.pc.value
              << std::dec << "\t" << or_dash(frame.function) << "\t" << or_dash(frame.file) << "\t"
              << frame.line << "\t" << or_dash(physical.module);
    for (const std::size_t number : {3, 6, 7, 12, 13, 14, 15}) print(physical.registers[number]);
    std::cout << "\n";
  }
}

int serve() {
  target::Maps maps;
  std::unique_ptr<UnwindImages> images;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    std::string path;
    if (command == "maps") {
      words >> path;
      const Result<std::string> text = read_file(path);
      Result<target::Maps> parsed = text ? target::parse_maps(*text) : target::Maps();
      if (!text || !parsed) return 1;
      maps = std::move(*parsed);
    } else if (command == "folder") {
      words >> path;
      images = std::make_unique<UnwindImages>(
          maps, ImageOptions{.process_folder = path == "-" ? "" : path});
    } else if (command == "sample" && images) {
      answer(words, *images);
    } else {
      std::cerr << "unknown command " << command << "\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace nohalt::stacks

int main() { return nohalt::stacks::serve(); }
