// Scopes are read from the innermost block outward to the nearest function or
// inlined copy: what surrounds an inlined copy is not visible in it. A concrete
// scope refers to its abstract instance for what they share; what the abstract
// instance has and no concrete scope mentions was optimised out.
//
// Of a location list, the first entry that covers pc counts. An entry is
// half-open, but one that is empty and begins at the function's entry says where
// an argument is at the moment of the call (GDB reads it the same way).
//
// Source: DWARF 5, sections 2.6.2, 3.3.8 and 4.1.
#include "probes/symbols/variables.h"

#include <algorithm>
#include <cstring>

#include "probes/symbols/anonymous_union.h"
#include "probes/symbols/expression.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMaxListEntries = 100'000;
constexpr std::size_t kMaxAvailableLines = 64;

struct ListEntry {
  LinkRange range;
  std::span<const Dwarf_Op> ops;
};

// Calls visit(entry) for each entry; a plain expression is one entry over all
// addresses. Stops where visit returns false. False: damaged.
template <class Visit>
bool for_each_location(Dwarf_Attribute& attribute, Visit&& visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  std::ptrdiff_t offset = 0;
  for (std::size_t i = 0; i < kMaxListEntries; ++i) {
    offset = dwarf_getlocations(&attribute, offset, &base, &begin, &end, &ops, &count);
    if (offset < 0) return false;
    if (offset == 0) return true;
    if (!visit(ListEntry{{{begin}, {end}}, {ops, count}})) return true;
  }
  return false;
}

std::vector<std::uint8_t> bytes_of(std::uint64_t value, std::uint64_t size) {
  std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(size == 0 ? 8 : size, 16), 0);
  std::memcpy(bytes.data(), &value, std::min<std::size_t>(bytes.size(), 8));
  return bytes;
}

Location constant_value(Dwarf_Attribute& value, const Type& type) {
  Dwarf_Block block{};
  if (dwarf_formblock(&value, &block) == 0)
    return ImplicitBytes{{block.data, block.data + block.length}};
  if (const char* text = dwarf_formstring(&value))
    return ImplicitBytes{{text, text + std::strlen(text) + 1}};
  Dwarf_Sword number = 0;
  Dwarf_Word word = 0;
  if (dwarf_formsdata(&value, &number) == 0) {
    std::vector<std::uint8_t> bytes = bytes_of(static_cast<std::uint64_t>(number), type.byte_size);
    if (number < 0 && type.byte_size > 8) std::ranges::fill(bytes.begin() + 8, bytes.end(), 0xff);
    return ImplicitBytes{std::move(bytes)};
  }
  if (dwarf_formudata(&value, &word) == 0) return ImplicitBytes{bytes_of(word, type.byte_size)};
  return Unavailable{UnavailableWhy::kUnsupported, "constant form"};
}

// The abstract instances that this scope and its inner blocks stand for.
void collect_origins(Dwarf_Die scope, int nesting, std::unordered_set<const void*>& origins) {
  if (nesting > kMaxDepth) return;
  for_each_child(scope, [&](Dwarf_Die child) {
    if (const std::optional<Dwarf_Die> origin = abstract_origin(child))
      origins.insert(origin->addr);
    if (dwarf_tag(&child) == DW_TAG_lexical_block) collect_origins(child, nesting + 1, origins);
    return true;
  });
}

bool is_value_operation(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_entry_value:
    case DW_OP_GNU_entry_value:
    case DW_OP_implicit_pointer:
    case DW_OP_GNU_implicit_pointer:
    case DW_OP_GNU_parameter_ref:
      return false;
    default:
      return true;
  }
}

}  // namespace

// What names a register or the frame is about now, not about the moment of the call.
bool is_told_by_entry_values(std::span<const Dwarf_Op> ops) {
  bool has_any = false;
  for (const Dwarf_Op& op : ops) {
    const bool is_register = op.atom >= DW_OP_reg0 && op.atom <= DW_OP_bregx;
    if (is_register || op.atom == DW_OP_call_frame_cfa || op.atom == DW_OP_deref ||
        op.atom == DW_OP_deref_size || op.atom == DW_OP_deref_type ||
        op.atom == DW_OP_regval_type || op.atom == DW_OP_GNU_deref_type ||
        op.atom == DW_OP_GNU_regval_type || op.atom == DW_OP_piece || op.atom == DW_OP_bit_piece)
      return false;
    has_any |= op.atom == DW_OP_entry_value || op.atom == DW_OP_GNU_entry_value;
  }
  return has_any;
}

namespace {

std::unexpected<Error> no_function(Unit* unit) {
  if (const std::string file = unit == nullptr ? "" : missing_part(*unit); !file.empty())
    return fail(ErrorCode::kUsage, "no-split-debug-file",
                "What the debug information says of this code is in " + file +
                    ", which is not there or not of this build.",
                std::string(kMissingPartHint));
  return fail(ErrorCode::kUsage, "no-such-function",
              "The code there is of no function that the debug information describes; the "
              "compiler may have merged functions of equal code.",
              "Probe the other function, or one that calls it.");
}

}  // namespace

Result<Variables::Place> Variables::place_at(LinkAddress pc) const {
  Unit* unit = units_.at(pc);
  const Function* function = unit == nullptr ? nullptr : units_.code(*unit).function_at(pc);
  if (function == nullptr) return no_function(unit);
  return Place{.pc = pc, .function = function, .lines = &units_.lines(*unit)};
}

Result<std::vector<Variable>> Variables::at(LinkAddress pc) const {
  NOHALT_TRY(const Place place, place_at(pc));
  return of_function(place, place.function->innermost(pc));
}

Result<std::vector<std::vector<Variable>>> Variables::by_function(LinkAddress pc) const {
  NOHALT_TRY(const Place place, place_at(pc));
  const Function& function = *place.function;
  std::size_t scope = function.innermost(pc);
  std::vector<std::vector<Variable>> all{of_function(place, scope)};
  for (scope = function.enclosing_function(scope); scope != 0;
       scope = function.enclosing_function(scope)) {
    scope = function.scopes[scope].parent;
    all.push_back(of_function(place, scope));
    // Those are looked for in the innermost function's lines.
    for (Variable& variable : all.back()) variable.available_lines.clear();
  }
  return all;
}

std::vector<Variable> Variables::of_function(const Place& place, std::size_t scope) const {
  const Function& function = *place.function;
  std::vector<Variable> found;
  std::vector<std::size_t> chain;
  const std::size_t outermost = function.enclosing_function(scope);
  for (; scope != outermost; scope = function.scopes[scope].parent) chain.push_back(scope);
  chain.push_back(outermost);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto depth = static_cast<std::uint32_t>(chain.size() - 1 - i);
    const Dwarf_Die die = function.scopes[chain[i]].die;
    add_scope(place, die, depth, 0, found);
    if (const std::optional<Dwarf_Die> abstract = abstract_origin(die)) {
      std::unordered_set<const void*> mentioned;
      collect_origins(die, 0, mentioned);
      add_abstract(place, *abstract, depth, 0, mentioned, found);
    }
  }
  return found;
}

void Variables::add_scope(const Place& place, Dwarf_Die scope, std::uint32_t depth, int nesting,
                          std::vector<Variable>& found) const {
  if (nesting > kMaxDepth) return;
  const AnonymousUnions unions(scope);
  for_each_child(scope, [&](Dwarf_Die child) {
    if (unions.has(child)) return true;
    switch (dwarf_tag(&child)) {
      case DW_TAG_formal_parameter:
      case DW_TAG_variable:
        add_variable(place, child, depth, found);
        break;
      case DW_TAG_lexical_block:
        // A block without addresses is no scope of its own.
        if (!dwarf_hasattr(&child, DW_AT_low_pc) && !dwarf_hasattr(&child, DW_AT_ranges))
          add_scope(place, child, depth, nesting + 1, found);
        break;
      default:
        break;
    }
    return true;
  });
}

void Variables::add_abstract(const Place& place, Dwarf_Die scope, std::uint32_t depth, int nesting,
                             const std::unordered_set<const void*>& mentioned,
                             std::vector<Variable>& found) const {
  if (nesting > kMaxDepth) return;
  const AnonymousUnions unions(scope);
  for_each_child(scope, [&](Dwarf_Die child) {
    if (mentioned.contains(child.addr) || unions.has(child)) return true;
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
      add_variable(place, child, depth, found);
    else if (tag == DW_TAG_lexical_block)
      add_abstract(place, child, depth, nesting + 1, mentioned, found);
    return true;
  });
}

std::optional<Variable> Variables::describe(Dwarf_Die die, VariableKind kind) const {
  const char* name = die_name(die);
  Variable variable;
  variable.is_nameless = is_anonymous_union(die);
  if (!variable.is_nameless && (name == nullptr || *name == '\0')) return std::nullopt;
  variable.name = variable.is_nameless ? "<anonymous>" : name;
  variable.kind = kind;
  variable.type = types_.type_of(die);
  variable.is_artificial = flag(die, DW_AT_artificial);
  const Dwarf_Die declares =
      variable.is_nameless ? referenced(declaration_of(die), DW_AT_type).value_or(die) : die;
  variable.declared_file = declared_file(declares);
  variable.declared_line =
      static_cast<std::uint32_t>(unsigned_attribute(declares, DW_AT_decl_line).value_or(0));
  return variable;
}

void Variables::add_variable(const Place& place, Dwarf_Die die, std::uint32_t depth,
                             std::vector<Variable>& found) const {
  if (own_attribute(die, DW_AT_declaration)) return;
  const bool is_argument = dwarf_tag(&die) == DW_TAG_formal_parameter;
  std::optional<Variable> variable =
      describe(die, is_argument ? VariableKind::kArgument : VariableKind::kLocal);
  if (!variable) return;
  variable->scope_depth = depth;
  variable->location = location_of(place, die, *variable->type);
  const auto* missing = std::get_if<Unavailable>(&variable->location);
  if (missing != nullptr && missing->why == UnavailableWhy::kEntryValue)
    if (const auto where = attribute(die, DW_AT_location))
      variable->at_entry = evaluate(place, *where, true);
  if (missing != nullptr) variable->available_lines = available_lines(place, die);
  found.push_back(std::move(*variable));
}

Location Variables::location_of(const Place& place, Dwarf_Die die, const Type& type) const {
  if (std::optional<Dwarf_Attribute> value = attribute(die, DW_AT_const_value))
    return constant_value(*value, type);
  const std::optional<Dwarf_Attribute> where = attribute(die, DW_AT_location);
  if (!where) return Unavailable{};
  Location location = evaluate(place, *where);
  if (std::holds_alternative<Computed>(location) && type.byte_size > 8)
    return Unavailable{UnavailableWhy::kUnsupported, "a computed value of more than 8 bytes"};
  return location;
}

Location Variables::evaluate(const Place& place, Dwarf_Attribute attribute, bool of_entry) const {
  const bool at_entry = place.function != nullptr && place.pc == place.function->entry();
  ExpressionContext context{.attribute = &attribute,
                            .frame_base = [&] { return frame_base(place); },
                            .cfa =
                                [&] {
                                  if (!place.cfa) place.cfa = frames_.cfa_at(place.pc);
                                  return *place.cfa;
                                },
                            .at_function_entry = at_entry || of_entry,
                            .thread_locals = thread_locals_};
  Location location = Unavailable{};
  const bool readable = for_each_location(attribute, [&](const ListEntry& entry) {
    const bool is_entry_only =
        at_entry && entry.range.begin == entry.range.end && entry.range.begin == place.pc;
    if (!entry.range.contains(place.pc) && !is_entry_only) return true;
    if (!of_entry || is_told_by_entry_values(entry.ops))
      location = translate_expression(entry.ops, context);
    return false;
  });
  if (readable) return location;
  return Unavailable{UnavailableWhy::kUnsupported, "damaged location"};
}

std::optional<std::vector<Op>> Variables::frame_base(const Place& place) const {
  if (place.frame_base) return *place.frame_base;
  place.frame_base.emplace();  // a frame base that refers to itself has none
  if (place.function == nullptr) return std::nullopt;
  std::optional<Dwarf_Attribute> base = attribute(place.function->self().die, DW_AT_frame_base);
  if (!base) return std::nullopt;
  ExpressionContext context{.attribute = &*base, .cfa = [&] { return frames_.cfa_at(place.pc); }};
  for_each_location(*base, [&](const ListEntry& entry) {
    if (!entry.range.contains(place.pc)) return true;
    place.frame_base = translate_address(entry.ops, context);
    return false;
  });
  return *place.frame_base;
}

std::optional<std::vector<Op>> Variables::program_at(LinkAddress pc, Dwarf_Attribute attribute,
                                                     std::span<const Dwarf_Op> ops,
                                                     bool of_entry) const {
  const Result<Place> place = place_at(pc);
  if (!place) return std::nullopt;
  const ExpressionContext context{.attribute = &attribute,
                                  .frame_base = [&] { return frame_base(*place); },
                                  .cfa = [&] { return frames_.cfa_at(pc); },
                                  .at_function_entry = of_entry};
  return translate_address(ops, context);
}

std::vector<std::uint32_t> Variables::available_lines(const Place& place, Dwarf_Die die) const {
  std::vector<std::uint32_t> lines;
  std::optional<Dwarf_Attribute> where = attribute(die, DW_AT_location);
  const LineRow* here = place.lines == nullptr ? nullptr : place.lines->covering(place.pc);
  if (!where || here == nullptr) return lines;
  std::vector<LinkRange> ranges;
  for_each_location(*where, [&](const ListEntry& entry) {
    if (!entry.ops.empty() && std::ranges::all_of(entry.ops, is_value_operation))
      ranges.push_back(entry.range);
    return true;
  });
  const Function& function = *place.function;
  const std::size_t here_in = function.enclosing_function(function.innermost(place.pc));
  const auto is_same_body = [&](LinkAddress pc) {
    return function.enclosing_function(function.innermost(pc)) == here_in;
  };
  for (const LinkRange& piece : function.self().ranges) {
    const std::vector<LineRow>& rows = place.lines->rows();
    for (auto row = std::ranges::lower_bound(rows, piece.begin, {}, &LineRow::pc);
         row != rows.end() && row->pc < piece.end; ++row) {
      if (row->is_statement && !row->is_end && row->line != 0 && row->file == here->file &&
          contains(ranges, row->pc) && is_same_body(row->pc))
        lines.push_back(row->line);
    }
  }
  std::ranges::sort(lines);
  lines.erase(std::ranges::unique(lines).begin(), lines.end());
  if (lines.size() > kMaxAvailableLines) lines.resize(kMaxAvailableLines);
  return lines;
}

// Definitions win over declarations, pc's own unit over others; variables of
// other units count only where all of that name are one variable.
std::optional<Variable> Variables::global(std::string_view name, LinkAddress pc) const {
  Unit* unit = units_.at(pc);
  std::optional<NamedDie> elsewhere;
  bool is_ambiguous = false;
  for (const NamedDie& named : names_().find(base_name(name))) {
    if (named.kind != NameKind::kVariable || !attribute(named.die, DW_AT_location)) {
      const bool has_value = attribute(named.die, DW_AT_const_value).has_value();
      if (named.kind != NameKind::kVariable || !has_value) continue;
    }
    if (!matches_qualified(units_.qualified_name(named.die), name)) continue;
    if (named.unit == unit) return global_from(named);
    is_ambiguous |= elsewhere.has_value();
    elsewhere = named;
  }
  if (!elsewhere || is_ambiguous) return std::nullopt;
  return global_from(*elsewhere);
}

std::optional<Variable> Variables::global_from(const NamedDie& named) const {
  std::optional<Variable> variable = describe(named.die, VariableKind::kGlobal);
  if (!variable) return std::nullopt;
  variable->location = location_of(Place{}, named.die, *variable->type);
  if (is_symbol_of_another(named.die))
    variable->location =
        Unavailable{UnavailableWhy::kUnsupported, "it shares its bytes with another"};
  return variable;
}

}  // namespace nohalt::symbols
