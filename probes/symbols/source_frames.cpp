// From the innermost scope outward: the line table says where the innermost
// function is; each inlined copy says where it was called, which is where the
// function around it is (DWARF 5, section 3.3.8).
#include "probes/symbols/source_frames.h"

namespace nohalt::symbols {

std::vector<SourceFrame> read_source_frames(const Units& units, LinkAddress pc) {
  Unit* unit = units.at(pc);
  if (unit == nullptr) return {};
  SourceFrame frame;
  if (const LineRow* row = units.lines(*unit).covering(pc)) {
    frame.file = units.files().name(row->file);
    frame.line = row->line;
  }
  const Function* function = units.code(*unit).function_at(pc);
  if (function == nullptr) return {frame};
  std::vector<SourceFrame> frames;
  for (std::size_t at = function->enclosing_function(function->innermost(pc));;) {
    const Scope& scope = function->scopes[at];
    frame.function = units.qualified_name(scope.die);
    frame.is_inlined = at != 0;
    frames.push_back(frame);
    if (at == 0) return frames;
    frame.file = file_named(scope.die, DW_AT_call_file);
    frame.line =
        static_cast<std::uint32_t>(unsigned_attribute(scope.die, DW_AT_call_line).value_or(0));
    at = function->enclosing_function(scope.parent);
  }
}

}  // namespace nohalt::symbols
