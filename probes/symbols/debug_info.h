// One ELF file and its DWARF, read through libdw: lines, functions, scopes,
// variables and types at link addresses. Touches no process.
//
// Ownership: everything handed out by pointer (Type) or by id lives as long as
// the DebugInfo. Threading: one thread at a time.
// Errors: no-debug-info (names the file and build id to supply), not-elf,
// wrong-architecture, build-id-mismatch, malformed-dwarf.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/symbols/location.h"
#include "probes/symbols/types.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::symbols {

struct OpenOptions {
  std::vector<std::string>
      debug_dirs;  // searched for separate debug files, by build id and debuglink
};

// One place in the machine code that stands for a source line or the first line
// of a function's body.
struct LineSite {
  LinkAddress pc;    // a statement's first address
  std::string file;  // as the line table names it, normalised, with its directory
  std::uint32_t line = 0;
  std::string function;      // the function whose code this is, qualified
  std::string inlined_into;  // non-empty: this is an inlined copy inside that function
  LinkRange function_range;  // the contiguous piece of the out-of-line function that holds pc
  std::vector<LinkRange> other_pieces;  // of that function: what the compiler put elsewhere
  LinkRange statement;  // the run of addresses that the line table gives to this row
};

// Where a statement begins by the line table, as seen from one of them.
struct StatementMark {
  LinkAddress pc;
  bool is_same = false;  // the one that is looked at, or a copy of it; false: another statement
  // No instruction of its line comes before the next statement begins: what jumps to this
  // address may mean to come in behind the mark.
  bool is_hollow = false;
};

// Code of the same source text elsewhere in the function of a site: copies that the compiler
// made, of a loop's body say, or other parts of the line. Which of these it is, only the way
// that control takes through the function tells (engines/inline/line_copies.h).
struct LineRepeats {
  std::vector<LineSite> sites;   // the group's members that are sites
  std::vector<LineSite> others;  // those that are not; never empty
  LinkAddress entry;             // of the function
  // All of the function, by address and in the order of execution at one address. Empty:
  // this compiler does not mark where statements begin.
  std::vector<StatementMark> marks;
};

// What a LOCATION on the command line came to.
struct ResolvedPlace {
  std::vector<LineSite> sites;  // a place in each block; never empty
  std::vector<LineRepeats> repeats = {};
  // Files that hold the declarations of some of the code and are not there (.dwo): what
  // is inlined in that code is not known.
  std::vector<std::string> missing_files = {};
};

enum class VariableKind { kArgument, kLocal, kGlobal };

struct Variable {
  std::string name;
  const Type* type = nullptr;
  VariableKind kind = VariableKind::kLocal;
  Location location;
  std::string declared_file;
  std::uint32_t declared_line = 0;
  std::uint32_t scope_depth = 0;  // 0: function's outermost block; deeper shadow shallower
  bool is_artificial = false;     // `this`
  bool is_nameless = false;       // an anonymous union, of which only members are asked for
  // Where it is optimised out here: lines of the same function where it is available.
  std::vector<std::uint32_t> available_lines;
  // Where `location` needs the registers that the function was called with: the same
  // over those, for who knows them.
  std::optional<Location> at_entry;
};

// What a caller's debug information says of a call.
struct Call {
  LinkAddress callee;       // where the called function begins
  bool is_certain = false;  // the call names that function
  std::vector<Op> target;   // where it does not: a program for the address that it calls
  struct Parameter {
    std::uint16_t number = 0;  // in this register
    std::vector<Op> value;     // over the caller's registers
    bool of_entry = false;     // or over those that the caller itself was called with
  };
  std::vector<Parameter> parameters;
};

// A function with machine code, for whole-program statistics and decoding.
struct FunctionRange {
  std::string name;
  LinkRange range;
};

// A statement row of the line table (is_stmt, not end_sequence, line != 0).
struct StatementRow {
  LinkAddress pc;
  std::string file;
  std::uint32_t line = 0;
};

// A function that runs at an address: the one whose code it is, or one that is
// inlined there.
struct SourceFrame {
  std::string function;    // qualified; empty where the address belongs to none
  std::string file;        // where it is in this function: for all but the innermost
  std::uint32_t line = 0;  // the place of the inlined call
  bool is_inlined = false;
};

// What a function hands back, as its declaration says.
struct FunctionReturn {
  std::string name;            // of the function, as declared, without its scope
  const Type* type = nullptr;  // void: nothing
  // Of a class: what the compiler says of how it is handed over.
  enum class ClassPassing { kUnknown, kByValue, kByReference };
  ClassPassing passing = ClassPassing::kUnknown;
  bool is_c = false;  // a class is then plain data
  // Not empty: the compiler may have changed what this copy of the function returns, and why.
  std::string doubt;
};

class DebugInfo {
 public:
  // `path` may be /proc/PID/exe or /proc/PID/map_files/...; `name` is what
  // messages call it.
  [[nodiscard]] static Result<std::unique_ptr<DebugInfo>> open(const std::string& path,
                                                               const std::string& name,
                                                               const OpenOptions& options);
  virtual ~DebugInfo() = default;

  [[nodiscard]] virtual const std::string& build_id() const = 0;  // lower-case hex; may be empty
  // The separate file that the DWARF came from; empty: the program itself.
  [[nodiscard]] virtual const std::string& debug_file() const;
  [[nodiscard]] virtual bool is_position_independent() const = 0;
  // A symbol of the program itself, local ones too, has this name.
  [[nodiscard]] virtual bool has_symbol(std::string_view name) const = 0;
  // Where the first loadable segment begins.
  [[nodiscard]] virtual LinkAddress first_address() const = 0;
  // Loadable segments that are writable.
  [[nodiscard]] virtual std::vector<LinkRange> writable_segments() const = 0;
  // Bytes of a loadable segment as the file holds them.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> read_bytes(LinkAddress at,
                                                                     std::uint64_t size) const = 0;
  // Where a section of the program that has bytes in the file is loaded; absent: none
  // of that name.
  [[nodiscard]] virtual std::optional<LinkRange> section(std::string_view name) const;

  // `file.c:142`, `dir/file.c:142`, `function`, `file.c:function`, `Class::method`. Errors:
  // no-such-file, ambiguous-file (hint lists candidates), no-code-on-line (hint:
  // nearest lines that have code), no-such-function (hint: near names),
  // malformed-location.
  [[nodiscard]] virtual Result<ResolvedPlace> resolve(std::string_view location) const = 0;

  // Everything visible at pc, innermost scope first, shadowed names left in
  // (the first of a name is the one that counts); arguments and locals only.
  [[nodiscard]] virtual Result<std::vector<Variable>> variables_at(LinkAddress pc) const = 0;
  // The same for each function that runs at pc: those of variables_at first, then,
  // where they are of an inlined copy, those of the functions around it.
  [[nodiscard]] virtual Result<std::vector<std::vector<Variable>>> variables_by_function(
      LinkAddress pc) const = 0;
  // The call that returns to `return_pc`, which entered the function at `callee_pc`.
  // Absent: it is not known, or that function may have been entered in another way.
  [[nodiscard]] virtual std::optional<Call> call(LinkAddress return_pc,
                                                 LinkAddress callee_pc) const;
  // Of the out-of-line function at pc.
  [[nodiscard]] virtual std::optional<FunctionReturn> function_return(LinkAddress pc) const;
  // No function, of the debug information or the symbol table, has a byte there.
  [[nodiscard]] virtual bool is_between_functions(LinkRange range) const;
  // A global, static or thread-local by name as seen from pc's unit.
  [[nodiscard]] virtual Result<std::optional<Variable>> find_global(std::string_view name,
                                                                    LinkAddress pc) const = 0;
  // A type by its name as C or C++ spells it ("struct foo", "foo", "unsigned int"), for casts.
  [[nodiscard]] virtual const Type* find_type(std::string_view name, LinkAddress pc) const = 0;

  // The class itself and those that derive from it, nearest first; left out is what several
  // types go by the name of.
  [[nodiscard]] virtual std::vector<const Type*> with_heirs(const Type* type) const;

  // Places that control can enter without a direct branch: landing pads in the
  // LSDA of the function at pc. Absent: the tables could not be read.
  [[nodiscard]] virtual std::optional<std::vector<LinkAddress>> landing_pads(
      LinkRange function) const = 0;

  [[nodiscard]] virtual std::vector<FunctionRange> functions() const = 0;
  [[nodiscard]] virtual std::vector<StatementRow> statements() const = 0;
  // The function, and file:line, at an address (innermost inlined function).
  [[nodiscard]] virtual std::optional<LineSite> describe(LinkAddress pc) const = 0;
  // The functions at an address, innermost first; empty: no unit covers it.
  [[nodiscard]] virtual std::vector<SourceFrame> source_frames(LinkAddress pc) const;
};

}  // namespace nohalt::symbols
