// Objects with a vtable pointer: what such an object really is, its vtable pointer tells.
//
// The pointer is read first and compared with those of each class that the object may be
// of; where one fits, that class's bytes are captured, from where the object begins then.
// What fits none is captured as what its type says, and the vtable pointer with it, so
// that the class can be named later. One object is of one class, so the classes' values
// lie in the same room of the record, and the record says which is there.
#include <algorithm>

#include "probes/capture/hidden.h"
#include "probes/capture/writer.h"
#include "probes/symbols/vtable_pointer.h"

namespace nohalt::capture {

using R = Register;

namespace {

constexpr std::size_t kMostClasses = 16;

}  // namespace

bool Writer::tells_its_class(const Type* type) const {
  return request_.dynamic_classes && symbols::has_vtable_pointer(type);
}

bool Writer::make_object(Node& node) {
  node.kind = Node::Kind::kItems;
  node.items = std::make_unique<Items>();
  node.items->kind = Items::Kind::kObject;
  const auto vptr = space_.take(8);
  const auto which = space_.take(4);
  if (!vptr || !which) return false;
  node.items->count = *vptr;
  node.items->walked = *which;
  return true;
}

void Writer::follow_object(Node& node, const std::string& path, const Source& from,
                           std::uint32_t depth, const Miss& miss) {
  const StackScope scope(code_);
  const auto vptr = code_.take_stack(8);
  if (!vptr) {
    node.kind = Node::Kind::kAbsent;
    node.absent = not_followed();
    return;
  }
  load_address(from, 0);
  generator_.read(from.helper, *vptr, 8, miss);
  code_.load(Size::k8, R::kR1, *vptr);
  code_.store(Size::k8, body(node.items->count), R::kR1);
  const std::vector<DynamicClass> classes = classes_of(node.type, path);
  node.items->slots.reserve(classes.size() + 1);
  const Object object{node, path, from, depth, *vptr, code_.label()};
  const Peak before{space_.used(), leads_followed_};
  Peak most = before;
  for (std::size_t i = 0; i <= classes.size(); ++i) {
    const Share share(*this, classes.size() + 1 - i, Share::Of::kAllButRoom);
    space_.set_used(before.room);
    leads_followed_ = before.leads;
    if (i < classes.size())
      add_class(object, classes[i]);
    else
      add_declared(object);
    most = {std::max(most.room, space_.used()), std::max(most.leads, leads_followed_)};
  }
  space_.set_used(most.room);
  leads_followed_ = most.leads;
  code_.bind(object.done);
  write_status(node, kStatusCaptured);
}

// What policy hides must be known for what it is, whatever else there is no room for.
std::vector<DynamicClass> Writer::classes_of(const Type* type, const std::string& path) const {
  std::vector<DynamicClass> classes = request_.dynamic_classes(type);
  const auto visible = std::ranges::stable_partition(classes, [&](const DynamicClass& each) {
    return why_step_hidden(path, each.type, request_.redaction).has_value();
  });
  if (visible.size() > kMostClasses)
    classes.erase(visible.begin() + static_cast<std::ptrdiff_t>(kMostClasses), visible.end());
  return classes;
}

// Null: there is no room for it.
Node* Writer::new_class(const Object& object, const Type* type) {
  Node slot;
  slot.type = type;
  if (auto why = why_step_hidden(object.path, type, request_.redaction)) {
    slot.absent = *std::move(why);
  } else {
    const auto status = space_.take(1);
    if (!status || !make_bytes(slot, type)) return nullptr;
    slot.status = *status;
    slot.whys = {{ValueState::kUnreadable, "the memory of the object cannot be read"}};
  }
  object.node.items->slots.push_back(std::move(slot));
  return &object.node.items->slots.back();
}

// Does nothing where the object is of another class. What there is no room for is shown
// as what its type says.
void Writer::add_class(const Object& object, const DynamicClass& candidate) {
  const bool is_hidden =
      why_step_hidden(object.path, candidate.type, request_.redaction).has_value();
  if (!is_hidden && !may_go_on()) return;
  Node* slot = new_class(object, candidate.type);
  if (slot == nullptr) return;
  const auto next = code_.label();
  const auto found = code_.label();
  for (const auto& [address, distance] : candidate.vtables) {
    const auto other = code_.label();
    code_.load(Size::k8, R::kR1, object.vptr);
    code_.jump_if(JumpOp::kNotEqual, R::kR1, address, other);
    load_address(object.from, 0);
    if (distance != 0) code_.alu(AluOp::kSub, R::kR3, distance);
    code_.store(Size::k8, object.vptr, R::kR3);  // which has served
    code_.jump(found);
    code_.bind(other);
    object.node.items->distances[address] = distance;
  }
  code_.jump(next);
  code_.bind(found);
  fill_class(object, *slot, {.bytes = {}, .base = object.vptr, .helper = object.from.helper});
  code_.jump(object.done);
  code_.bind(next);
}

void Writer::add_declared(const Object& object) {
  Node* slot = new_class(object, object.node.type);
  if (slot == nullptr) {
    slot = &object.node.items->slots.emplace_back();
    slot->type = object.node.type;
    slot->absent = not_followed();
  }
  fill_class(object, *slot, object.from);
}

void Writer::fill_class(const Object& object, Node& slot, const Source& from) {
  const std::size_t number = object.node.items->slots.size() - 1;
  code_.store(Size::k4, body(object.node.items->walked), static_cast<std::int32_t>(number));
  if (slot.kind == Node::Kind::kAbsent) return;
  const Shape inner = shape(slot.type, object.path, slot.size, object.depth);
  slot.holes = inner.holes;
  const auto next = code_.label();
  write_status(slot, kStatusFirstWhy);
  from_memory(slot, from, inner, object.depth, {next, nullptr}, slot.whys[0]);
  code_.bind(next);
}

}  // namespace nohalt::capture
