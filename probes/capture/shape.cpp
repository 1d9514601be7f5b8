// One walk over a type, with the bounds that keep it short.
#include "probes/capture/shape.h"

#include <algorithm>
#include <utility>

#include "probes/capture/containers/erased.h"
#include "probes/capture/containers/recognise.h"
#include "probes/capture/hidden.h"
#include "probes/capture/holes.h"
#include "probes/capture/numbers.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using symbols::Member;
using symbols::strip_typedefs;

namespace {

constexpr std::size_t kMaxHoles = 128;
// As deep as values are shown. What lies deeper is not judged, and so not read.
constexpr int kMaxNesting = 32;

const Why kTooDeep = {ValueState::kRedacted, "it lies too deep to be judged by policy"};

class Walk {
 public:
  Walk(const ShapeRules& rules, Shape& shape)
      : rules_(rules), shape_(shape), is_in_row_(rules.is_in_row) {}

  void visit(const Type* type, std::uint64_t at, const std::string& path, bool may_lead,
             int nesting) {
    const Type* real = strip_typedefs(type);
    if (at >= rules_.bytes) return;
    if (nesting > kMaxNesting && (rules_.redaction.rule || numbers_only()))
      return hole(at, at + std::max<std::uint64_t>(real->byte_size, 1), path, kTooDeep);
    if (nesting > kMaxNesting) return;
    if (numbers_only() && !has_parts(real) && !is_number(type, standing()))
      return hole(at, at + std::max<std::uint64_t>(real->byte_size, 1), path, no_number());
    switch (real->kind) {
      case TypeKind::kPointer:
      case TypeKind::kReference:
        pointer(real, at, path, may_lead);
        break;
      case TypeKind::kArray:
        array(real, at, path, may_lead, nesting);
        break;
      case TypeKind::kStruct:
      case TypeKind::kUnion:
        record(real, at, path, may_lead, nesting);
        break;
      default:
        break;
    }
  }

  void hole(std::uint64_t begin, std::uint64_t end, const std::string& path, const Why& why) {
    shape_.holes.push_back({begin, end, why, path});
    if (shape_.holes.size() > kMaxHoles) tidy(shape_.holes);
    // Too scattered to spare each: spare the whole.
    if (shape_.holes.size() > kMaxHoles)
      shape_.holes = {{shape_.holes.front().begin, shape_.holes.back().end, why, "much of it"}};
  }

 private:
  [[nodiscard]] bool numbers_only() const { return rules_.redaction.all_but_numbers.has_value(); }
  [[nodiscard]] const Why& no_number() const { return *rules_.redaction.all_but_numbers; }
  [[nodiscard]] Standing standing() const {
    return is_in_row_ ? Standing::kInRow : Standing::kAlone;
  }

  // Of one of many.
  [[nodiscard]] std::optional<Why> why_item_hidden(const std::string& path,
                                                   const Type* item) const {
    if (auto why = why_step_hidden(path, item, rules_.redaction)) return why;
    const bool is_hidden = numbers_only() && !has_numbers(item, Standing::kInRow);
    return is_hidden ? rules_.redaction.all_but_numbers : std::nullopt;
  }

  void lead(Lead found) {
    found.guards = guards_;
    if (found.at + found.size() <= rules_.bytes) shape_.leads.push_back(std::move(found));
  }

  // Rust's references and boxes lead to a value that is there, whatever it is.
  static bool leads_to_a_value(const Type* real, const Type* target) {
    const std::string_view name = real->name;
    const bool is_sure = name.starts_with('&') || name.starts_with("alloc::boxed::Box<");
    const bool has_bytes = target->byte_size > 0 && target->kind != TypeKind::kFunction;
    return language::is_record(target) || (is_sure && has_bytes);
  }

  void pointer(const Type* real, std::uint64_t at, const std::string& path, bool may_lead) {
    if (!may_lead || real->target == nullptr || real->byte_size != 8) return;
    const Type* target = strip_typedefs(real->target);
    if (why_step_hidden(path, real->target, rules_.redaction)) return;
    const std::uint32_t unit = language::text_unit(real->target);
    if (unit != 0 && real->kind == TypeKind::kPointer) {
      lead({Lead::Kind::kText, at, real->target, path, {.unit = unit}});
    } else if (leads_to_a_value(real, target) && target->byte_size > 0 && rules_.follow_records) {
      lead({Lead::Kind::kRecord, at, real->target, path});
    }
  }

  void array(const Type* real, std::uint64_t at, const std::string& path, bool may_lead,
             int nesting) {
    if (real->target == nullptr) return;
    const Type* item = strip_typedefs(real->target);
    const bool plain = language::is_arithmetic(item) || item->byte_size == 0;
    if (const auto why = why_item_hidden(path, real->target))
      return hole(at, real->byte_size > 0 ? at + real->byte_size : rules_.bytes, path, *why);
    if (plain) return;
    const std::uint64_t count = real->element_count.value_or(0);
    const bool was_in_row = std::exchange(is_in_row_, true);
    for (std::uint64_t i = 0; i < count && at + i * item->byte_size < rules_.bytes; ++i) {
      const std::size_t before = shape_.holes.size();
      visit(real->target, at + i * item->byte_size, path, may_lead && i < rules_.items,
            nesting + 1);
      const bool nothing_hidden = shape_.holes.size() == before;
      if (nothing_hidden && i >= rules_.items) break;
    }
    is_in_row_ = was_in_row;
  }

  void record(const Type* real, std::uint64_t at, const std::string& path, bool may_lead,
              int nesting) {
    if (const auto text = containers::recognise_text(real)) {
      if (numbers_only()) return hole(at, at + real->byte_size, path, no_number());
      if (may_lead) lead({Lead::Kind::kCountedText, at, real, path, *text});
      return;
    }
    if (const auto text = containers::recognise_message(real)) {
      if (numbers_only()) return hole(at, at + real->byte_size, path, no_number());
      if (may_lead) lead({Lead::Kind::kText, at + text->at, text->type->target, path});
      return;
    }
    if (auto container = containers::recognise(real)) {
      items(real, std::move(container), at, path, may_lead, nesting);
      return;
    }
    if (const auto erased = containers::erased_bytes(real); erased && rules_.redaction.rule)
      hole(at + erased->begin, at + erased->end, path, kErased);
    for (const Member& member : real->members) {
      if (member.is_static || member.type == nullptr) continue;
      if (member.is_virtual_base) {
        virtual_base(*real, member.type, at, path, nesting);
        continue;
      }
      const bool named = !member.name.empty() && !member.is_base_class;
      const std::string inner = named ? path + (path.empty() ? "" : ".") + member.name : path;
      std::uint64_t begin = at + member.byte_offset;
      std::uint64_t size = strip_typedefs(member.type)->byte_size;
      if (member.bit_offset) {
        begin = at + *member.bit_offset / 8;
        size = (*member.bit_offset % 8 + member.bit_size + 7) / 8;
      }
      auto why = why_step_hidden(inner, member.type, rules_.redaction);
      const bool is_bits = member.bit_offset.has_value();
      if (!why && is_bits && numbers_only() && !is_number(member.type, standing()))
        why = no_number();
      if (why) {
        // An array of unknown length goes on to the end of what is captured.
        hole(begin, size > 0 ? begin + size : std::max(rules_.bytes, begin + 1), inner, *why);
        continue;
      }
      if (is_bits) continue;
      auto guard = guard_of(*real, member);
      if (guard) guard->at += at;
      if (guard && guard->at + guard->size > rules_.bytes) guard.reset();
      const bool is_guarded = guard && !guard->values.empty();
      if (is_guarded) guards_.push_back(*guard);
      visit(member.type, begin, inner, may_lead && (real->kind != TypeKind::kUnion || guard),
            nesting + 1);
      if (is_guarded) guards_.pop_back();
    }
  }

  // Where it lies differs from class to class, but behind all that its heir has besides. So
  // where something in it is hidden, all of that is.
  void virtual_base(const Type& heir, const Type* base, std::uint64_t at, const std::string& path,
                    int nesting) {
    Shape inner;
    const ShapeRules whole{rules_.redaction, strip_typedefs(base)->byte_size, 0, false};
    Walk(whole, inner).visit(base, 0, path, false, nesting + 1);
    auto why = why_step_hidden(path, base, rules_.redaction);
    if (!why && !inner.holes.empty()) why = inner.holes.front().why;
    if (!why) return;
    std::uint64_t begin = at + sizeof(std::uint64_t);  // the vtable pointer
    for (const Member& member : heir.members)
      if (!member.is_static && !member.is_virtual_base && !member.is_base_class && member.type)
        begin = std::max(begin, at + member.byte_offset + strip_typedefs(member.type)->byte_size);
    hole(begin, std::max(rules_.bytes, begin + 1), path, *why);
  }

  // Where all items are hidden the container is. Of an item in the container's own
  // bytes nothing hidden may be copied with them.
  void items(const Type* real, std::shared_ptr<const containers::Container> container,
             std::uint64_t at, const std::string& path, bool may_lead, int nesting) {
    const std::string inner = item_path(path, container->kind);
    auto why = container->item == nullptr
                   ? std::nullopt
                   : why_step_hidden(inner, container->item, rules_.redaction);
    if (!why && numbers_only() && !has_numbers(real, standing())) why = no_number();
    if (why) return hole(at, at + real->byte_size, path, *why);
    if (const auto* inside = std::get_if<containers::Inside>(&container->way))
      visit(container->item, at + inside->at, inner, false, nesting + 1);
    if (const auto* choice = std::get_if<containers::Choice>(&container->way)) {
      for (const Type* type : choice->alternatives)
        alternative(type, at + choice->at, inner, nesting);
    }
    if (may_lead) lead({Lead::Kind::kItems, at, real, path, {}, std::move(container)});
  }

  void alternative(const Type* type, std::uint64_t at, const std::string& path, int nesting) {
    if (const auto why = why_step_hidden(path, type, rules_.redaction))
      hole(at, at + strip_typedefs(type)->byte_size, path, *why);
    else
      visit(type, at, path, false, nesting + 1);
  }

  const ShapeRules& rules_;
  Shape& shape_;
  bool is_in_row_;             // of an array or container on the way here
  std::vector<Guard> guards_;  // of the enums on the way here
};

}  // namespace

std::uint64_t Lead::size() const {
  return kind == Kind::kCountedText || kind == Kind::kItems ? strip_typedefs(target)->byte_size : 8;
}

std::string item_path(const std::string& path, Items::Kind kind) {
  return containers::has_many(kind) ? path + "[]" : path;
}

bool is_over(const std::vector<Hole>& holes, const Lead& lead) {
  return std::ranges::any_of(holes, [&](const Hole& hole) {
    const auto covers = [&](std::uint64_t at, std::uint64_t size) {
      return hole.begin < at + size && at < hole.end;
    };
    return covers(lead.at, lead.size()) ||
           std::ranges::any_of(lead.guards,
                               [&](const Guard& guard) { return covers(guard.at, guard.size); });
  });
}

Shape shape_of(const Type* type, const std::string& path, const ShapeRules& rules) {
  Shape shape;
  Walk(rules, shape).visit(type, 0, path, true, 0);
  tidy(shape.holes);
  std::erase_if(shape.leads, [&](const Lead& lead) {
    // The holes in a container are its items', which are spared as they are walked.
    if (lead.kind == Lead::Kind::kItems && lead.guards.empty()) return false;
    return is_over(shape.holes, lead);
  });
  return shape;
}

Shape hidden_shape(const Type* type, const std::string& path, const Why& why) {
  return {{{0, std::max<std::uint64_t>(strip_typedefs(type)->byte_size, 1), why, path}}, {}};
}

}  // namespace nohalt::capture
