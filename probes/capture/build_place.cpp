// Which value gets what room in the record, before any code is made.
#include <algorithm>

#include "probes/capture/builder.h"
#include "probes/capture/hidden.h"
#include "probes/capture/holes.h"
#include "probes/capture/numbers.h"
#include "probes/runtime/layout.h"

namespace nohalt::capture {

namespace {

// What a variable's missing pieces leave out.
std::vector<Hole> missing_pieces(const Spot& spot) {
  std::vector<Hole> holes;
  if (spot.variable == nullptr) return holes;
  const auto* pieces = std::get_if<symbols::InPieces>(&spot.variable->location);
  if (pieces == nullptr) return holes;
  const std::uint64_t first = spot.offset;
  const std::uint64_t last = spot.offset + spot.size;
  std::uint64_t begin = 0;
  const auto add = [&](std::uint64_t from, std::uint64_t to, const Why& why) {
    from = std::max(from, first);
    to = std::min(to, last);
    if (from < to) holes.push_back({from - first, to - first, why});
  };
  for (const symbols::Piece& piece : pieces->pieces) {
    const std::uint64_t end = begin + piece.bit_size / 8;
    const auto* missing =
        piece.location.empty() ? nullptr : std::get_if<symbols::Unavailable>(&piece.location[0]);
    if (missing != nullptr) add(begin, end, why_unavailable(*missing));
    begin = end;
  }
  add(begin, last, {ValueState::kOptimizedOut, ""});
  return holes;
}

}  // namespace

// Gives the leaf its node and its room in the record.
Status Builder::place(Leaf& leaf) {
  leaf.node = built_.layout.nodes.size();
  built_.layout.node_of[leaf.expr] = leaf.node;
  Node& node = built_.layout.nodes.emplace_back();
  node.type = leaf.expr->type;
  if (auto why = why_hidden(*leaf.expr, request_.redaction)) {
    node.absent = *std::move(why);
    leaf.done = true;
    return {};
  }
  if (leaf.expr->kind == ExprKind::kLoad) NOHALT_CHECK(place_load(leaf, node));
  if (leaf.done) return {};
  if (leaf.expr->kind != ExprKind::kLoad) {
    node.kind = Node::Kind::kBytes;
    node.size = 8;
    // What lies at an address made here need not be what its type says.
    if (language::is_pointer(leaf.expr->type) && leaf.expr->kind != ExprKind::kAddress) {
      leaf.shape = writer_.shape(leaf.expr->type, leaf.path, 8, leaf.depth);
    }
  }
  const auto status = space_.take(1);
  const auto data = space_.take(node.size);
  if (!status || !data) {
    return fail(ErrorCode::kRefused, "record-too-large",
                "The values need more than the " + std::to_string(request_.limits.record_bytes) +
                    " bytes of one record.",
                "Capture fewer or smaller values.");
  }
  node.status = *status;
  node.data = *data;
  writer_.make_room(node, leaf.shape);
  return {};
}

Status Builder::place_load(Leaf& leaf, Node& node) {
  leaf.spot = flatten(leaf.expr->operand());
  const Spot& spot = leaf.spot;
  const auto absent = [&](ValueState state, std::string text) {
    node.kind = Node::Kind::kAbsent;
    node.absent = {state, std::move(text)};
    leaf.done = true;
  };
  if (spot.variable != nullptr) {
    if (const auto* missing = std::get_if<symbols::Unavailable>(&spot.variable->location)) {
      const Why why = why_unavailable(*missing);
      absent(why.state, why.text);
      return {};
    }
  }
  if (language::is_empty_type(spot.type)) {
    node.kind = Node::Kind::kConstant;
    leaf.done = true;
    return {};
  }
  if (spot.size == 0) {
    absent(ValueState::kUnavailable,
           "the size of '" + language::type_name(spot.type) + "' is not known");
    return {};
  }
  const bool is_target = leaf.expr->operand().kind == ExprKind::kDereference;
  if (is_target && writer_.tells_its_class(spot.type)) {
    leaf.is_object = writer_.make_object(node);
    if (!leaf.is_object) absent(ValueState::kUnavailable, not_followed().text);
    return {};
  }
  node.bit_offset = spot.bit_offset;
  node.bit_size = spot.bit_size;
  node.size = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(spot.size, request_.limits.aggregate_bytes));
  node.kind = Node::Kind::kBytes;
  leaf.shape =
      writer_.shape(spot.type, leaf.path, node.size, leaf.depth, lies_in_row(leaf.expr->operand()));
  node.holes = leaf.shape.holes;
  for (Hole& hole : missing_pieces(spot)) node.holes.push_back(std::move(hole));
  tidy(node.holes);
  if (gaps_between(node.holes, node.size).empty()) {
    node.kind = Node::Kind::kAbsent;
    node.absent = node.holes[0].why;
    leaf.done = true;
    return {};
  }
  const auto* implicit = spot.variable == nullptr
                             ? nullptr
                             : std::get_if<symbols::ImplicitBytes>(&spot.variable->location);
  const bool constant = implicit != nullptr && spot.indexes.empty() && spot.variants.empty() &&
                        node.holes.empty() && leaf.shape.leads.empty() &&
                        spot.offset + node.size <= implicit->bytes.size();
  if (constant) {
    node.kind = Node::Kind::kConstant;
    const auto begin = implicit->bytes.begin() + static_cast<std::ptrdiff_t>(spot.offset);
    node.constant.assign(begin, begin + node.size);
    leaf.done = true;
  } else if (in_memory(leaf)) {
    leaf.key = base_key(spot, request_.bias);
  }
  return {};
}

Status Builder::place_stack() {
  if (request_.stack_bytes == 0) return {};
  const auto registers = space_.take(sizeof(runtime::SavedRegisters));
  const auto length = registers ? space_.take(4) : std::nullopt;
  const auto data = length ? space_.take(request_.stack_bytes) : std::nullopt;
  if (!data) {
    return fail(ErrorCode::kRefused, "record-too-large", "The stack does not fit into one record.",
                "Capture less of the stack.");
  }
  built_.layout.stack = {*registers, *length, *data, request_.stack_bytes};
  return {};
}

}  // namespace nohalt::capture
