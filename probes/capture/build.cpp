// The order of a program: decide, take a token, reserve, capture, commit. What
// fails before the record is reserved leaves through an exit of its own.
#include <algorithm>
#include <cstddef>
#include <map>

#include "probes/capture/capture.h"
#include "probes/capture/generator.h"
#include "probes/capture/shape.h"
#include "probes/capture/writer.h"
#include "probes/program/verifier.h"
#include "probes/runtime/layout.h"

namespace nohalt::capture {

using language::BoundPtr;
using symbols::strip_typedefs;
using R = Register;

namespace {

constexpr std::uint32_t kLargestRecord = 32 * 1024;
constexpr std::uint16_t kGeneralRegisters = 16;  // by DWARF number

// An expression node that the program captures.
struct Leaf {
  const Expr* expr = nullptr;
  const language::Source* source = nullptr;
  std::size_t node = 0;
  Spot spot;  // of a kLoad
  std::string path;
  Shape shape;
  std::uint32_t depth = 1;
  std::string key;  // equal: may share a read
  bool done = false;
};

class Builder {
 public:
  explicit Builder(const CaptureRequest& request)
      : request_(request),
        generator_(code_, request.bias),
        space_(std::min(request.limits.record_bytes, kLargestRecord)),
        writer_(code_, generator_, space_, request) {}

  Result<BuiltCapture> run();

 private:
  Status condition();
  void collect(const Expr& expr, const language::Source& source, bool shown);
  Status place(Leaf& leaf);
  Status place_load(Leaf& leaf, Node& node);
  Status place_stack();
  void emit_stack();
  Status emit(Leaf& leaf);
  Status emit_value(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_parts(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_memory(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_shared(std::vector<Leaf*> leaves);
  Status share_reads();
  [[nodiscard]] bool in_memory(const Leaf& leaf) const {
    return leaf.spot.pointer != nullptr ||
           (leaf.spot.variable != nullptr &&
            std::holds_alternative<symbols::InMemory>(leaf.spot.variable->location));
  }
  // How many values are still to be captured.
  [[nodiscard]] std::size_t waiting() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(leaves_, [](const Leaf& leaf) { return !leaf.done; }));
  }
  Node& node_of(const Leaf& leaf) { return built_.layout.nodes[leaf.node]; }

  const CaptureRequest& request_;
  Code code_;
  Generator generator_;
  RecordSpace space_;
  Writer writer_;
  BuiltCapture built_;
  std::vector<Leaf> leaves_;
};

bool is_pointer_step(const Expr& expr) {
  return language::is_pointer(expr.type) &&
         (expr.kind == ExprKind::kConvert || expr.kind == ExprKind::kOffset ||
          expr.kind == ExprKind::kAdvance);
}

// Finds what must be captured for the value: shown whole, or only computed with.
void Builder::collect(const Expr& expr, const language::Source& source, bool shown) {
  const bool leaf =
      expr.kind == ExprKind::kLoad || expr.kind == ExprKind::kAddress || is_pointer_step(expr);
  if (leaf) {
    Leaf found;
    found.expr = &expr;
    found.source = &source;
    found.depth = shown ? std::max<std::uint32_t>(request_.limits.depth, 1) : 1;
    const auto steps = path_steps(expr.kind == ExprKind::kLoad ? expr.operand() : expr);
    if (!steps.empty()) found.path = steps.back().path;
    leaves_.push_back(std::move(found));
    return;
  }
  for (const auto& operand : expr.operands) collect(*operand, source, false);
}

Status Builder::condition() {
  if (!request_.condition) return {};
  const Expr& root = *request_.condition->root;
  if (is_hidden(root, request_.is_redacted)) {
    return fail(ErrorCode::kDenied, "condition-on-redacted",
                "The condition names a value that policy hides; firing on it would reveal it.",
                "Leave it out of the condition.");
  }
  generator_.set_source(&request_.condition->source);
  const auto no = code_.label();
  const auto unavailable = code_.label();
  const auto yes = code_.label();
  NOHALT_CHECK(generator_.branch(root, true, yes, {unavailable, nullptr}));
  code_.jump(no);
  code_.bind(unavailable);
  code_.exit(Outcome::kConditionUnavailable);
  code_.bind(no);
  code_.exit(Outcome::kNoMatch);
  code_.bind(yes);
  generator_.set_source(nullptr);
  return {};
}

// Gives the leaf its node and its room in the record.
Status Builder::place(Leaf& leaf) {
  leaf.node = built_.layout.nodes.size();
  built_.layout.node_of[leaf.expr] = leaf.node;
  Node& node = built_.layout.nodes.emplace_back();
  node.type = leaf.expr->type;
  if (is_hidden(*leaf.expr, request_.is_redacted)) {
    node.absent = {ValueState::kRedacted, "hidden by policy"};
    leaf.done = true;
    return {};
  }
  if (leaf.expr->kind == ExprKind::kLoad) NOHALT_CHECK(place_load(leaf, node));
  if (leaf.done) return {};
  if (leaf.expr->kind != ExprKind::kLoad) {
    node.kind = Node::Kind::kBytes;
    node.size = 8;
    // What lies at an address made here need not be what its type says.
    if (leaf.expr->kind != ExprKind::kAddress) {
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
  if (spot.size == 0) {
    absent(ValueState::kUnavailable,
           "the size of '" + language::type_name(spot.type) + "' is not known");
    return {};
  }
  node.bit_offset = spot.bit_offset;
  node.bit_size = spot.bit_size;
  node.size = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(spot.size, request_.limits.aggregate_bytes));
  node.kind = Node::Kind::kBytes;
  leaf.shape = writer_.shape(spot.type, leaf.path, node.size, leaf.depth);
  node.holes = leaf.shape.holes;
  for (Hole& hole : missing_pieces(spot)) node.holes.push_back(std::move(hole));
  tidy(node.holes);
  if (gaps_between(node.holes, node.size).empty()) {
    const Why why = node.holes[0].why;
    absent(why.state, why.text);
    return {};
  }
  const auto* implicit = spot.variable == nullptr
                             ? nullptr
                             : std::get_if<symbols::ImplicitBytes>(&spot.variable->location);
  const bool constant = implicit != nullptr && spot.indexes.empty() && node.holes.empty() &&
                        leaf.shape.leads.empty() &&
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

std::string memory_why(const Spot& spot) {
  if (spot.pointer == nullptr) return "its memory cannot be read";
  return "the memory at " + spell(*spot.pointer) + " cannot be read";
}

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
    std::erase_if(leaf.shape.leads, [&](const Lead& lead) { return is_over(node.holes, lead); });
    writer_.from_stack(node, {.bytes = window, .base = {}}, leaf.shape, leaf.depth);
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

Status Builder::share_reads() {
  std::map<std::string, std::vector<Leaf*>> groups;
  for (Leaf& leaf : leaves_) {
    if (leaf.done || leaf.key.empty() || leaf.shape.needs_address()) continue;
    if (node_of(leaf).size > Writer::kWindow) continue;
    groups[leaf.key].push_back(&leaf);
  }
  for (auto& [key, group] : groups) {
    const auto distance = [&](const Leaf* leaf) {
      return static_cast<std::int64_t>(base_distance(leaf->spot, request_.bias));
    };
    std::stable_sort(group.begin(), group.end(),
                     [&](const Leaf* a, const Leaf* b) { return distance(a) < distance(b); });
    for (std::size_t i = 0; i < group.size();) {
      const std::int64_t begin = distance(group[i]);
      std::size_t next = i;
      const auto fits = [&](const Leaf* leaf) {
        return distance(leaf) + node_of(*leaf).size <=
               begin + static_cast<std::int64_t>(Writer::kWindow);
      };
      while (next < group.size() && fits(group[next])) ++next;
      if (next - i > 1) {
        NOHALT_CHECK(emit_shared({group.begin() + static_cast<std::ptrdiff_t>(i),
                                  group.begin() + static_cast<std::ptrdiff_t>(next)}));
      }
      i = std::max(next, i + 1);
    }
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

bool uses_xmm(const std::vector<program::Instruction>& code) {
  return std::any_of(code.begin(), code.end(), [](const program::Instruction& i) {
    return program::class_of(i) == program::InstructionClass::kLoad &&
           i.src == static_cast<std::uint8_t>(kContext) && i.offset >= 256;
  });
}

Result<BuiltCapture> Builder::run() {
  code_.mov(kContext, R::kR1);
  NOHALT_CHECK(condition());
  for (const BoundPtr& value : request_.values) {
    built_.layout.values.push_back(value);
    collect(*value->root, value->source, true);
  }
  built_.layout.nodes.reserve(leaves_.size());
  NOHALT_CHECK(place_stack());
  for (Leaf& leaf : leaves_) NOHALT_CHECK(place(leaf));

  const auto suppressed = code_.label();
  const auto dropped = code_.label();
  code_.call(Helper::kTakeToken);
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, suppressed);
  code_.call(Helper::kReserve);
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, dropped);
  code_.mov(kBody, R::kR0);
  emit_stack();
  NOHALT_CHECK(share_reads());
  for (Leaf& leaf : leaves_) NOHALT_CHECK(emit(leaf));
  code_.mov(R::kR1, kBody);
  code_.call(Helper::kCommit);
  code_.exit(Outcome::kCommitted);
  code_.bind(suppressed);
  code_.exit(Outcome::kSuppressed);
  code_.bind(dropped);
  code_.exit(Outcome::kDropped);

  NOHALT_TRY(built_.program.code, code_.finish());
  built_.program.record_size = std::max<std::uint32_t>(space_.used(), 1);
  built_.program.needs_xmm = uses_xmm(built_.program.code);
  built_.layout.record_size = built_.program.record_size;
  built_.layout.max_items = request_.limits.items;
  if (const auto verified = program::verify(built_.program); !verified) {
    return std::unexpected(program::to_error(verified.error()));
  }
  return std::move(built_);
}

}  // namespace

Result<BuiltCapture> build_capture(const CaptureRequest& request) { return Builder(request).run(); }

}  // namespace nohalt::capture
