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
// nothing. KEPT are the registers that calls preserve: rbx rbp rsp r12 to r15. After each
// frame its variables: `variable NAME LINE HEX WHY`, with `..` for bytes
// that are not known, and why.
#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>

#include "probes/stacks/entry_values.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/locals/bytes.h"
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

void print(const symbols::Variable& variable, const Frame& frame, const HitMemory& memory) {
  constexpr std::uint64_t kMost = 512;
  const std::uint64_t size = std::min(kMost, symbols::strip_typedefs(variable.type)->byte_size);
  const locals::Bytes bytes = locals::bytes_of(variable, size, frame, memory).bytes;
  std::cout << "variable\t" << variable.name << "\t" << variable.declared_line << "\t";
  for (std::uint64_t at = 0; at < size; ++at) {
    const auto is_there = [at](const capture::Hole& hole) {
      return at < hole.begin || hole.end <= at;
    };
    constexpr const char* kDigits = "0123456789abcdef";
    const auto byte = std::to_integer<unsigned>(bytes.data[at]);
    if (std::ranges::all_of(bytes.holes, is_there))
      std::cout << kDigits[byte >> 4U] << kDigits[byte & 15U];
    else
      std::cout << "..";
  }
  std::cout << "\t" << (bytes.holes.empty() ? "-" : or_dash(bytes.holes.front().why.text)) << "\n";
}

// Which of the functions that run in each physical frame is next.
void print_variables(const NamedFrame& named, std::size_t which, const Unwound& unwound,
                     const UnwindImages& images, const HitMemory& memory) {
  const Frame& frame = unwound.frames[named.frame];
  const auto place = images.find(frame.lookup_pc);
  const symbols::DebugInfo* info = place ? images.debug_info(*place) : nullptr;
  if (info == nullptr) return;
  const auto functions = info->variables_by_function(place->address);
  if (!functions || which >= functions->size()) return;
  for (const symbols::Variable& variable : (*functions)[which])
    if (variable.type != nullptr) print(variable, frame, memory);
}

void answer(std::istringstream& words, const UnwindImages& images) {
  std::string name;
  std::string hex;
  CapturedStack captured;
  words >> name >> std::hex >> captured.stack_begin.value >> hex;
  for (auto& each : captured.registers) words >> each.emplace();
  const std::vector<std::byte> bytes = from_hex(hex);
  captured.bytes = bytes;
  Result<Unwound> unwound = unwind(captured, images, {.max_frames = 1000});
  if (!unwound) {
    std::cout << "ending\t" << name << "\terror\t" << unwound.error().message << "\n";
    return;
  }
  std::cout << "ending\t" << name << "\t" << stacks::name_of(unwound->ending) << "\t"
            << or_dash(unwound->why) << "\n";
  const HitMemory memory(captured, images);
  find_entry_values(unwound->frames, images, memory);
  std::size_t which = 0;
  std::size_t last = 0;
  for (const NamedFrame& frame : symbolise(unwound->frames, images)) {
    const Frame& physical = unwound->frames[frame.frame];
    which = frame.frame == last ? which : 0;
    last = frame.frame;
    std::cout << "frame\t" << name_of(frame.kind) << "\t" << std::hex << physical.pc.value
              << std::dec << "\t" << or_dash(frame.function) << "\t" << or_dash(frame.file) << "\t"
              << frame.line << "\t" << or_dash(physical.module);
    for (const std::size_t number : {3, 6, 7, 12, 13, 14, 15}) print(physical.registers[number]);
    std::cout << "\n";
    print_variables(frame, which++, *unwound, images, memory);
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
