// A declaration does not always tell what the machine code does: an optimiser drops a
// result that nobody uses. GCC gives such a copy a name of its own (.isra, .part), and
// so does LLVM's merging; LLVM marks a function whose convention it changed with
// DW_CC_nocall, though versions before 17 did not where it dropped a result.
//
// Source: DWARF 5, sections 3.3.1.1 and 5.7.1.1 (DW_AT_calling_convention); GCC
// internals, ipa-sra.cc and ipa-split.cc; LLVM, DeadArgumentElimination.cpp.
#include "probes/symbols/function_return.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include "probes/symbols/class_passing.h"

namespace nohalt::symbols {

namespace {

constexpr std::uint64_t kNoCall = 3;  // DW_CC_nocall
constexpr int kFirstMarkingClang = 17;

std::optional<Dwarf_Die> class_of(Dwarf_Die function) {
  std::optional<Dwarf_Die> type;
  if (const auto named = attribute(function, DW_AT_type)) {
    Dwarf_Attribute of = *named;
    Dwarf_Die die;
    if (dwarf_formref_die(&of, &die) != nullptr) type = die;
  }
  for (int hops = 0; type && hops < kMaxHops; ++hops) {
    const int tag = dwarf_tag(&*type);
    if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type)
      return type;
    if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type) break;
    type = referenced(*type, DW_AT_type);
  }
  return std::nullopt;
}

// 0: not known.
int clang_version(std::string_view producer) {
  constexpr std::string_view kName = "clang version ";
  const std::size_t at = producer.find(kName);
  return at == std::string_view::npos
             ? 0
             : std::atoi(std::string(producer.substr(at + kName.size(), 8)).c_str());
}

std::string doubt_about(const Unit& unit, Dwarf_Die die, std::string_view symbol) {
  constexpr std::array<std::string_view, 3> kCopies = {".isra.", ".part.", ".llvm."};
  for (const std::string_view mark : kCopies)
    if (symbol.find(mark) != std::string_view::npos)
      return "the compiler made a copy of the function (" + std::string(symbol) +
             ") that may return something else";
  const auto convention = attribute(die, DW_AT_calling_convention);
  Dwarf_Word value = 0;
  Dwarf_Attribute copy;
  if (convention) copy = *convention;
  if (convention && dwarf_formudata(&copy, &value) == 0 && value == kNoCall)
    return "the compiler changed how the function is called";
  const bool is_clang = unit.producer.find("clang") != std::string::npos;
  if (is_clang && clang_version(unit.producer) < kFirstMarkingClang &&
      !attribute(die, DW_AT_external))
    return "this compiler may have dropped the result of a function that only its file calls";
  return {};
}

}  // namespace

std::optional<FunctionReturn> read_function_return(const Units& units, TypeReader& types,
                                                   const FunctionSymbols& symbols, LinkAddress pc) {
  Unit* unit = units.at(pc);
  const Function* function = unit == nullptr ? nullptr : units.code(*unit).function_at(pc);
  if (function == nullptr) return std::nullopt;
  const Dwarf_Die die = function->self().die;
  FunctionReturn result;
  if (const char* name = die_name(die)) result.name = name;
  const auto named = attribute(die, DW_AT_type);
  result.type = types.void_type();
  if (named) {
    Dwarf_Attribute of = *named;
    Dwarf_Die type;
    if (dwarf_formref_die(&of, &type) == nullptr) return std::nullopt;
    result.type = types.read(type);
  }
  if (const auto type = class_of(die)) result.passing = class_passing(*type, unit->producer);
  result.is_c = unit->is_c;
  result.doubt = doubt_about(*unit, die, symbols.beginning_at(function->entry()));
  if (const auto type = class_of(die); type && has_vector(*type))
    result.doubt = "a vector is in it, which is returned otherwise than its parts";
  return result;
}

}  // namespace nohalt::symbols
