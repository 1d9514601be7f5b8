#include "probes/symbols/call_sites.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "probes/symbols/die.h"
#include "probes/symbols/expression.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMostTailCalls = 1000;

bool is_call_site(Dwarf_Die die) {
  const int tag = dwarf_tag(&die);
  return tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site;
}

// The DWARF 5 attribute, or the one that DWARF 4 had for it.
std::optional<Dwarf_Attribute> either(Dwarf_Die die, unsigned code, unsigned gnu) {
  const auto found = own_attribute(die, code);
  return found ? found : own_attribute(die, gnu);
}

// Calls visit(site) for each call site of a function and of what is inlined in it.
template <class Visit>
void for_each_site(Dwarf_Die parent, int depth, Visit&& visit) {
  if (depth > kMaxDepth) return;
  for_each_child(parent, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    if (is_call_site(child))
      visit(child);
    else if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine)
      for_each_site(child, depth + 1, visit);
    return true;
  });
}

std::optional<LinkAddress> return_pc_of(Dwarf_Die site) {
  auto where = either(site, DW_AT_call_return_pc, DW_AT_low_pc);
  Dwarf_Addr address = 0;
  if (!where || dwarf_formaddr(&*where, &address) != 0) return std::nullopt;
  return LinkAddress{address};
}

bool is_tail_call(Dwarf_Die site) {
  return flag(site, DW_AT_call_tail_call) || flag(site, DW_AT_GNU_tail_call);
}

// The compiler says that it told of each tail call of the function.
bool tells_all_tail_calls(Dwarf_Die function) {
  for (const unsigned code :
       {DW_AT_call_all_calls, DW_AT_call_all_source_calls, DW_AT_call_all_tail_calls,
        DW_AT_GNU_all_call_sites, DW_AT_GNU_all_source_call_sites, DW_AT_GNU_all_tail_call_sites})
    if (flag(function, code)) return true;
  return false;
}

std::optional<Dwarf_Die> origin_of(Dwarf_Die site) {
  auto named = either(site, DW_AT_call_origin, DW_AT_abstract_origin);
  Dwarf_Die origin;
  if (!named || dwarf_formref_die(&*named, &origin) == nullptr) return std::nullopt;
  return origin;
}

const char* linkage_name(Dwarf_Die die) {
  for (const unsigned code : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
    if (auto name = attribute(die, code)) return dwarf_formstring(&*name);
  return die_name(die);
}

// Of another unit a function is known by the name that the linker knows it by.
bool is_same_function(Dwarf_Die origin, Dwarf_Die function) {
  if (origin.addr == function.addr) return true;
  const Dwarf_Die declared = declaration_of(function);
  if (declared.addr == origin.addr || declared.addr == declaration_of(origin).addr) return true;
  if (!flag(declaration_of(origin), DW_AT_external) || !flag(declared, DW_AT_external))
    return false;
  const char* ours = linkage_name(function);
  const char* theirs = linkage_name(origin);
  return ours != nullptr && theirs != nullptr && std::strcmp(ours, theirs) == 0;
}

}  // namespace

const Function* CallSites::named_by(Dwarf_Die site) const {
  const std::optional<Dwarf_Die> origin = origin_of(site);
  const char* name = origin ? die_name(*origin) : nullptr;
  if (name == nullptr) return nullptr;
  for (const NamedDie& named : names_().find(name)) {
    if (named.kind != NameKind::kFunction) continue;
    for (const Function& function : units_.code(*named.unit).functions())
      if (is_same_function(*origin, function.self().die)) return &function;
  }
  return nullptr;
}

bool CallSites::may_enter_itself(const Function& function) const {
  std::set<const Function*> seen;
  std::vector<const Function*> left{&function};
  std::size_t calls = 0;
  bool may = false;
  while (!left.empty() && !may) {
    const Function* next = left.back();
    left.pop_back();
    may = !tells_all_tail_calls(next->self().die);
    for_each_site(next->self().die, 0, [&](Dwarf_Die site) {
      if (!is_tail_call(site)) return;
      const Function* to = named_by(site);
      may = may || to == nullptr || to == &function || ++calls > kMostTailCalls;
      if (to != nullptr && seen.insert(to).second) left.push_back(to);
    });
  }
  return may;
}

void CallSites::read_parameters(Dwarf_Die site, LinkAddress pc, Call& call) const {
  for_each_child(site, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    if (tag != DW_TAG_call_site_parameter && tag != DW_TAG_GNU_call_site_parameter) return true;
    auto where = own_attribute(child, DW_AT_location);
    auto value = either(child, DW_AT_call_value, DW_AT_GNU_call_site_value);
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (!where || !value || dwarf_getlocation(&*where, &ops, &count) != 0 || count != 1 ||
        ops->atom < DW_OP_reg0 || ops->atom > DW_OP_reg15)
      return true;
    const auto number = static_cast<std::uint16_t>(ops->atom - DW_OP_reg0);
    if (dwarf_getlocation(&*value, &ops, &count) != 0) return true;
    const bool of_entry = is_told_by_entry_values({ops, count});
    if (auto program = variables_.program_at(pc, *value, {ops, count}, of_entry))
      call.parameters.push_back({number, std::move(*program), of_entry});
    return true;
  });
}

std::optional<Call> CallSites::call(LinkAddress return_pc, LinkAddress callee_pc) const {
  const Function* caller = units_.function_at(return_pc - 1);
  const Function* callee = units_.function_at(callee_pc);
  if (caller == nullptr || callee == nullptr) return std::nullopt;
  std::optional<Dwarf_Die> found;
  for_each_site(caller->self().die, 0, [&](Dwarf_Die site) {
    if (!found && !is_tail_call(site) && return_pc_of(site) == return_pc) found = site;
  });
  if (!found) return std::nullopt;
  Call call;
  call.callee = callee->entry();
  if (const std::optional<Dwarf_Die> origin = origin_of(*found)) {
    if (!is_same_function(*origin, callee->self().die)) return std::nullopt;
    call.is_certain = true;
  } else if (auto target = either(*found, DW_AT_call_target, DW_AT_GNU_call_site_target)) {
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    if (dwarf_getlocation(&*target, &ops, &count) != 0) return std::nullopt;
    auto program = variables_.program_at(return_pc - 1, *target, {ops, count}, false);
    if (!program) return std::nullopt;
    call.target = std::move(*program);
  } else {
    return std::nullopt;
  }
  if (may_enter_itself(*callee)) return std::nullopt;
  read_parameters(*found, return_pc - 1, call);
  return call;
}

}  // namespace nohalt::symbols
