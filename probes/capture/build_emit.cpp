// The code that captures each value, into the room that it has.
#include <algorithm>
#include <cstddef>

#include "probes/capture/builder.h"
#include "probes/capture/holes.h"
#include "probes/runtime/layout.h"

namespace nohalt::capture {

using R = Register;

namespace {

constexpr std::uint16_t kGeneralRegisters = 16;  // by DWARF number

std::string memory_why(const Spot& spot) {
  if (spot.pointer == nullptr) return "its memory cannot be read";
  return "the memory at " + spell(*spot.pointer) + " cannot be read";
}

// Whether what says that it is there at all is among what is not known.
bool is_unsure(const std::vector<Hole>& holes, const Lead& lead) {
  return std::ranges::any_of(lead.guards, [&](const Guard& guard) {
    return std::ranges::any_of(holes, [&](const Hole& hole) {
      return hole.begin < guard.at + guard.size && guard.at < hole.end;
    });
  });
}

}  // namespace

Status Builder::emit(Leaf& leaf) {
  if (leaf.done) return {};
  const Writer::Share share(writer_, waiting());
  leaf.done = true;
  generator_.set_source(leaf.source);
  Node& node = node_of(leaf);
  const StackScope scope(code_);
  const auto done = code_.label();
  const Miss miss = writer_.miss_into({&node}, done);
  if (leaf.expr->kind != ExprKind::kLoad) {
    NOHALT_CHECK(emit_value(leaf, node, miss));
  } else if (leaf.is_object) {
    NOHALT_CHECK(emit_object(leaf, node, miss));
  } else if (in_memory(leaf)) {
    NOHALT_CHECK(emit_memory(leaf, node, miss));
  } else {
    NOHALT_CHECK(emit_parts(leaf, node, miss));
  }
  code_.bind(done);
  return {};
}

// A pointer that is computed: an address, or a cast.
Status Builder::emit_value(Leaf& leaf, Node& node, const Miss& miss) {
  NOHALT_CHECK(generator_.value(*leaf.expr, miss));
  const auto slot = code_.take_stack(8);
  if (slot && !leaf.shape.leads.empty()) {
    code_.store(Size::k8, *slot, R::kR0);
    writer_.from_stack(node, {.bytes = slot, .base = {}}, leaf.shape, leaf.depth);
    return {};
  }
  code_.store(Size::k8, {kBody, static_cast<std::int32_t>(node.data)}, R::kR0);
  writer_.write_status(node, kStatusCaptured);
  writer_.leave_out(node, leaf.shape);
  return {};
}

// A value in registers or pieces: the parts that are there.
Status Builder::emit_parts(Leaf& leaf, Node& node, const Miss& miss) {
  const bool follows = !leaf.shape.leads.empty() && node.size <= Writer::kWindow;
  const auto window = follows ? code_.take_stack(node.size) : std::nullopt;
  const Dest to = window ? *window : Dest{kBody, static_cast<std::int32_t>(node.data)};
  if (window && !node.holes.empty()) code_.zero(*window, node.size);
  for (const Hole& part : gaps_between(node.holes, node.size)) {
    NOHALT_CHECK(generator_.fetch(leaf.spot, {part.begin, part.end - part.begin},
                                  to.plus(part.begin), miss));
  }
  if (window) {
    std::erase_if(leaf.shape.leads, [&](const Lead& lead) { return is_unsure(node.holes, lead); });
    const Source parts{.bytes = window, .base = {}, .lost = &node.holes};
    writer_.from_stack(node, parts, leaf.shape, leaf.depth);
  } else {
    writer_.write_status(node, kStatusCaptured);
    writer_.leave_out(node, leaf.shape);
  }
  return {};
}

Status Builder::emit_memory(Leaf& leaf, Node& node, const Miss& miss) {
  const Why unreadable{ValueState::kUnreadable, memory_why(leaf.spot)};
  const bool straight = leaf.shape.leads.empty() && node.holes.empty();
  NOHALT_TRY(const Helper helper, generator_.address(leaf.spot, miss));
  if (straight) {
    miss.because(unreadable.state, unreadable.text);
    generator_.read(helper, {kBody, static_cast<std::int32_t>(node.data)}, node.size, miss);
    writer_.write_status(node, kStatusCaptured);
    return {};
  }
  if (node.size <= Writer::kWindow && !leaf.shape.needs_address()) {
    if (const auto window = code_.take_stack(node.size)) {
      miss.because(unreadable.state, unreadable.text);
      generator_.read(helper, *window, node.size, miss);
      writer_.from_stack(node, {.bytes = window, .base = {}}, leaf.shape, leaf.depth);
      return {};
    }
  }
  const auto base = code_.take_stack(8);
  if (!base) return fail(ErrorCode::kInternal, "stack-too-small", "No stack is left for a base.");
  code_.store(Size::k8, *base, R::kR3);
  writer_.from_memory(node, {.bytes = {}, .base = base, .helper = helper}, leaf.shape, leaf.depth,
                      miss, unreadable);
  return {};
}

Status Builder::emit_object(Leaf& leaf, Node& node, const Miss& miss) {
  NOHALT_TRY(const Helper helper, generator_.address(leaf.spot, miss));
  const auto base = code_.take_stack(8);
  if (!base) return fail(ErrorCode::kInternal, "stack-too-small", "No stack is left for a base.");
  code_.store(Size::k8, *base, R::kR3);
  miss.because(ValueState::kUnreadable, memory_why(leaf.spot));
  writer_.follow_object(node, leaf.path, {.bytes = {}, .base = base, .helper = helper}, leaf.depth,
                        miss);
  return {};
}

// Several values a short way from one base: one read to the stack, of which the
// record gets what was asked for.
Status Builder::emit_shared(std::vector<Leaf*> leaves) {
  const std::uint64_t begin = base_distance(leaves[0]->spot, request_.bias);
  // Distances wrap around zero, since they may be negative; what is counted from
  // the first does not.
  std::uint64_t size = 0;
  std::vector<Node*> nodes;
  for (Leaf* leaf : leaves) {
    const std::uint64_t offset = base_distance(leaf->spot, request_.bias) - begin;
    size = std::max(size, offset + node_of(*leaf).size);
    node_of(*leaf).status = node_of(*leaves[0]).status;
    nodes.push_back(&node_of(*leaf));
    leaf->done = true;
  }
  const StackScope scope(code_);
  const auto window = code_.take_stack(size);
  if (!window) return fail(ErrorCode::kInternal, "stack-too-small", "No stack is left to share.");
  generator_.set_source(leaves[0]->source);
  const auto done = code_.label();
  const Miss miss = writer_.miss_into(nodes, done);
  NOHALT_TRY(const Helper helper, generator_.address(leaves[0]->spot, miss));
  miss.because(ValueState::kUnreadable, memory_why(leaves[0]->spot));
  generator_.read(helper, *window, size, miss);
  const auto part = [&](const Leaf& leaf) {
    return window->plus(base_distance(leaf.spot, request_.bias) - begin);
  };
  for (Leaf* leaf : leaves) writer_.copy_from_stack(node_of(*leaf), part(*leaf));
  writer_.write_status(*nodes[0], kStatusCaptured);
  std::size_t together = leaves.size();
  for (Leaf* leaf : leaves) {
    const Writer::Share share(writer_, waiting() + together--);
    writer_.follow_from_stack(node_of(*leaf), {.bytes = part(*leaf), .base = {}}, leaf->shape,
                              leaf->depth);
  }
  code_.bind(done);
  return {};
}

void Builder::emit_stack() {
  if (!built_.layout.stack) return;
  const StackLayout& stack = *built_.layout.stack;
  const auto body = [](std::uint64_t at) { return Dest{kBody, static_cast<std::int32_t>(at)}; };
  const auto keep = [&](std::int16_t at) {
    code_.load_context(R::kR0, at);
    code_.store(Size::k8, body(stack.registers + static_cast<std::uint64_t>(at)), R::kR0);
  };
  for (std::uint16_t number = 0; number < kGeneralRegisters; ++number)
    keep(*context_offset(number));
  keep(offsetof(runtime::SavedRegisters, rip));
  code_.load_context(R::kR3, offsetof(runtime::SavedRegisters, rsp));
  code_.alu(AluOp::kSub, R::kR3, kBelowStack);
  code_.point(R::kR1, body(stack.data));
  code_.mov(R::kR2, std::uint64_t{stack.size});
  code_.call(Helper::kReadStack);
  code_.store(Size::k4, body(stack.length), R::kR0);
}

}  // namespace nohalt::capture
