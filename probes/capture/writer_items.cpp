// Containers: what goes for all of them, and those whose one item is in the object or
// behind one pointer. How the others are walked is in writer_walks.cpp.
//
// A program only jumps forward, so a walk is unrolled: as many slots as the limits, the
// record and the program's length allow, each left when there is no item for it. How the
// walk ends is written before each step that may end it.
#include <algorithm>

#include "probes/capture/hidden.h"
#include "probes/capture/holes.h"
#include "probes/capture/writer.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

namespace {

// Nothing has so many items; whatever says so is not a count.
constexpr std::uint64_t kMostItems = std::uint64_t{1} << 48;

std::vector<Why> whys_of(const std::string& name) {
  return {{ValueState::kUnreadable, "the memory of " + name + " cannot be read"},
          {ValueState::kTruncated, "what leads to the next item cannot be read"},
          {ValueState::kTruncated, "its items and its count do not agree: it is being changed"},
          {ValueState::kUnavailable,
           "its parts do not fit together: it is being changed, or is not constructed yet"},
          {ValueState::kTruncated, "its next item lies further on than is looked"}};
}

}  // namespace

bool Writer::make_items(Node& node, const Lead& lead) {
  node.kind = Node::Kind::kItems;
  node.whys = whys_of(lead.path.empty() ? "it" : lead.path);
  node.items = std::make_unique<Items>();
  Items& items = *node.items;
  items.kind = lead.container->kind;
  items.item = lead.container->item;
  const auto count = space_.take(8);
  const auto walked = space_.take(4);
  const auto how = space_.take(1);
  if (!count || !walked || !how) return false;
  items.count = *count;
  items.walked = *walked;
  items.end = *how;
  return true;
}

void Writer::follow_items(Node& node, const Lead& lead, const Source& from, std::uint32_t depth,
                          Code::Label done) {
  const StackScope scope(code_);
  Walk walk{node, *node.items, lead, from, depth, done, code_.label()};
  write_status(node, status_of(kWhyHeader));
  const bool begun =
      std::visit([&](const auto& way) { return this->walk(walk, way); }, lead.container->way);
  if (!begun) {
    node.kind = Node::Kind::kAbsent;
    node.absent = not_followed();
    if (!from.base) node.absent.text = "not followed: it is not in memory as a whole";
    if (from.is_lost(0, lead.size())) node.absent = partly_known();
  }
  code_.jump(done);
  code_.bind(walk.odd);
  write_status(node, status_of(kWhyOdd));
}

std::optional<Dest> Writer::words(Walk& walk, std::uint64_t at, std::uint64_t size) {
  if (walk.from.is_lost(at, size)) return std::nullopt;
  if (walk.from.bytes) return walk.from.bytes->plus(at);
  const auto window = walk.from.base ? code_.take_stack(size) : std::nullopt;
  if (!window) return std::nullopt;
  load_address(walk.from, at);
  generator_.read(walk.from.helper, *window, size, {walk.done, nullptr});
  return window;
}

std::optional<Writer::Cursor> Writer::new_cursor() {
  const auto at = code_.take_stack(8);
  const auto left = code_.take_stack(8);
  if (!at || !left) return std::nullopt;
  return Cursor{*at, *left};
}

Shape Writer::slot_shape(const Walk& walk, const Type* type, std::uint32_t depth) const {
  const std::string path = item_path(walk.lead.path, walk.items.kind);
  if (const auto why = why_step_hidden(path, type, request_.redaction))
    return hidden_shape(type, path, *why);
  const std::uint64_t size =
      std::min<std::uint64_t>(strip_typedefs(type)->byte_size, request_.limits.aggregate_bytes);
  return shape(type, path, size, depth, containers::has_many(walk.items.kind));
}

// Room for one more item; null: there is none.
Node* Writer::new_slot(Walk& walk, const Type* type, const Shape& shape) {
  return new_slot(walk, Part{walk.items.slots, type, shape});
}

Node* Writer::new_slot(const Walk& walk, const Part& part) {
  Node slot;
  slot.type = part.type;
  const auto status = space_.take(1);
  if (!status || !make_bytes(slot, part.type)) return nullptr;
  slot.status = *status;
  slot.holes = part.shape.holes;
  slot.whys = {walk.node.whys[kWhyHeader]};
  if (gaps_between(slot.holes, slot.size).empty()) {
    slot.kind = Node::Kind::kAbsent;
    slot.absent = slot.holes[0].why;
  }
  part.slots.push_back(std::move(slot));
  return &part.slots.back();
}

void Writer::end(const Walk& walk, std::uint8_t how) {
  code_.store(Size::k1, body(walk.items.end), how);
}

void Writer::write_walked(const Walk& walk, std::size_t slots) {
  code_.store(Size::k4, body(walk.items.walked), static_cast<std::int32_t>(slots));
}

// The container is understood, and has so many items.
void Writer::count_is(const Walk& walk, Register count, std::optional<Dest> left) {
  code_.jump_if(JumpOp::kGreater, count, kMostItems, walk.odd);
  code_.store(Size::k8, body(walk.items.count), count);
  if (left) code_.store(Size::k8, *left, count);
  begun(walk);
}

void Writer::begun(const Walk& walk) {
  write_status(walk.node, kStatusCaptured);
  write_walked(walk, 0);
}

void Writer::fill_slot(const Walk& walk, Node& slot, const Source& from, const Shape& shape,
                       std::uint32_t depth) {
  if (slot.kind == Node::Kind::kAbsent) return;
  if (from.is_lost(0, slot.size)) {
    slot.kind = Node::Kind::kAbsent;
    slot.absent = partly_known();
    return;
  }
  const auto next = code_.label();
  write_status(slot, kStatusFirstWhy);
  if (from.bytes)
    from_stack(slot, from, shape, depth);
  else
    from_memory(slot, from, shape, depth, {next, nullptr}, walk.node.whys[kWhyHeader]);
  code_.bind(next);
}

bool Writer::walk(Walk& walk, const containers::Inside& inside) {
  const auto flag = words(walk, inside.engaged_at, 1);
  if (!flag) return false;
  code_.load(Size::k1, R::kR1, *flag);
  code_.jump_if(JumpOp::kGreater, R::kR1, 1, walk.odd);
  count_is(walk, R::kR1, {});
  end(walk, kEndAll);
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, walk.done);
  const Shape shape = slot_shape(walk, walk.items.item, walk.depth);
  walk.items.slots.reserve(1);
  Node* slot = new_slot(walk, walk.items.item, shape);
  if (slot == nullptr) {
    end(walk, kEndMore);
    return true;
  }
  write_walked(walk, 1);
  fill_slot(walk, *slot, walk.from.plus(inside.at), shape, walk.depth);
  return true;
}

bool Writer::walk(Walk& walk, const containers::Choice& choice) {
  const auto index = words(walk, choice.index_at, choice.index_size);
  if (!index) return false;
  const Size size = size_of(choice.index_size);
  code_.load(size, R::kR1, *index);
  code_.store(Size::k8, body(walk.items.count), R::kR1);
  begun(walk);
  end(walk, kEndAll);
  const std::size_t all = choice.alternatives.size();
  walk.items.slots.reserve(all);
  for (std::size_t i = 0; i < all; ++i) {
    const Share share(*this, all - i);
    const Type* type = choice.alternatives[i];
    const Shape shape = slot_shape(walk, type, walk.depth);
    Node* slot = may_go_on() ? new_slot(walk, type, shape) : nullptr;
    if (slot == nullptr) {
      Node& nothing = walk.items.slots.emplace_back();
      nothing.type = type;
      nothing.absent = not_followed();
      continue;
    }
    const auto next = code_.label();
    code_.load(size, R::kR1, *index);
    code_.jump_if(JumpOp::kNotEqual, R::kR1, i, next);
    fill_slot(walk, *slot, walk.from.plus(choice.at), shape, walk.depth);
    code_.bind(next);
  }
  return true;
}

bool Writer::walk(Walk& walk, const containers::Owner& owner) {
  const auto pointer = code_.take_stack(8);
  const auto counts = owner.control ? code_.take_stack(8) : pointer;
  if (!pointer || !counts) return false;
  {
    const StackScope scope(code_);
    const std::uint64_t first =
        std::min(owner.pointer_at, owner.control ? owner.control->pointer_at : owner.pointer_at);
    const std::uint64_t last =
        std::max(owner.pointer_at, owner.control ? owner.control->pointer_at : owner.pointer_at);
    const auto found = words(walk, first, last + 8 - first);
    if (!found) return false;
    if (owner.control) code_.copy(*counts, found->plus(owner.control->pointer_at - first), 8);
    code_.load(Size::k8, R::kR1, found->plus(owner.pointer_at - first));
    const auto somewhere = code_.label();
    if (owner.may_be_nowhere) {
      code_.jump_if(JumpOp::kNotEqual, R::kR1, ~std::uint64_t{0}, somewhere);
      code_.mov(R::kR1, std::uint64_t{0});
      code_.store(Size::k8, *counts, R::kR1);
    }
    code_.bind(somewhere);
    code_.store(Size::k8, *pointer, R::kR1);
    code_.store(Size::k8, body(walk.items.count), R::kR1);
  }
  if (owner.control && !count_owners(walk, *owner.control, *counts)) return false;
  begun(walk);
  end(walk, kEndAll);
  code_.load(Size::k8, R::kR1, *pointer);
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, walk.done);
  if (walk.items.item == nullptr) return true;
  if (owner.control) skip_expired(walk, *counts);
  const std::uint32_t depth = walk.depth - 1;
  const bool goes_on = walk.depth > 1 && may_go_on();
  const Source item{.bytes = {}, .base = pointer, .distance = owner.behind};
  walk.items.slots.reserve(1);
  if (goes_on && !owner.has_more && tells_its_class(walk.items.item))
    return own_object(walk, item, depth);
  const Shape shape = slot_shape(walk, walk.items.item, depth);
  Node* slot = goes_on ? new_slot(walk, walk.items.item, shape) : nullptr;
  if (slot == nullptr || owner.has_more) end(walk, kEndMore);
  if (slot == nullptr) return true;
  write_walked(walk, 1);
  fill_slot(walk, *slot, item, shape, depth);
  return true;
}

bool Writer::own_object(Walk& walk, const Source& item, std::uint32_t depth) {
  const auto status = space_.take(1);
  Node slot;
  slot.type = walk.items.item;
  if (!status || !make_object(slot)) {
    end(walk, kEndMore);
    return true;
  }
  slot.status = *status;
  slot.whys = {walk.node.whys[kWhyHeader]};
  walk.items.slots.push_back(std::move(slot));
  Node& object = walk.items.slots.back();
  const auto next = code_.label();
  write_walked(walk, 1);
  write_status(object, status_of(kWhyHeader));
  follow_object(object, item_path(walk.lead.path, walk.items.kind), item, depth, {next, nullptr});
  code_.bind(next);
  return true;
}

// Reads the control block that `counts` leads to, and leaves there how many owners there
// are, or one where nobody counts them.
bool Writer::count_owners(Walk& walk, const containers::Owner::Control& control, Dest counts) {
  const auto uses = space_.take(8);
  const auto watchers = space_.take(8);
  const StackScope scope(code_);
  const std::uint64_t first = std::min(control.uses, control.watchers);
  const std::uint64_t size = std::max(control.uses, control.watchers) + control.size - first;
  const auto window = code_.take_stack(size);
  if (!uses || !watchers || !window) return false;
  walk.items.uses = *uses;
  walk.items.watchers = *watchers;
  const auto known = code_.label();
  code_.store(Size::k8, body(*uses), 0);
  code_.store(Size::k8, body(*watchers), 0);
  code_.load(Size::k8, R::kR3, counts);
  code_.store(Size::k8, counts, 1);
  code_.jump_if(JumpOp::kEqual, R::kR3, 0, known);
  if (first != 0) code_.alu(AluOp::kAdd, R::kR3, first);
  generator_.read(Helper::kReadUser, *window, size, {walk.done, nullptr});
  const Size word = size_of(control.size);
  code_.load(word, R::kR1, window->plus(control.uses - first));
  code_.load(word, R::kR2, window->plus(control.watchers - first));
  if (control.less != 0) {
    code_.alu(AluOp::kAdd, R::kR1, control.less);
    code_.alu(AluOp::kAdd, R::kR2, control.less);
  }
  const auto none = code_.label();
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, none);
  code_.alu(AluOp::kSub, R::kR2, 1);
  code_.bind(none);
  code_.store(Size::k8, counts, R::kR1);
  code_.store(Size::k8, body(*uses), R::kR1);
  code_.store(Size::k8, body(*watchers), R::kR2);
  code_.bind(known);
  return true;
}

// What nobody owns any more is gone.
void Writer::skip_expired(const Walk& walk, Dest counts) {
  code_.load(Size::k8, R::kR1, counts);
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, walk.done);
}

}  // namespace nohalt::capture
