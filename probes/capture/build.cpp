// The order of a program: decide, take a token, reserve, capture, commit. What
// fails before the record is reserved leaves through an exit of its own.
#include <algorithm>
#include <map>

#include "probes/capture/builder.h"
#include "probes/capture/hidden.h"
#include "probes/program/verifier.h"
#include "probes/symbols/vtable_pointer.h"

namespace nohalt::capture {

using R = Register;

namespace {

constexpr std::uint32_t kLargestRecord = 32 * 1024;

bool is_pointer_step(const Expr& expr) {
  return language::is_pointer(expr.type) &&
         (expr.kind == ExprKind::kConvert || expr.kind == ExprKind::kOffset ||
          expr.kind == ExprKind::kAdvance);
}

// The classes below the object's that policy hides.
HiddenBelow hidden_below(const CaptureRequest& request) {
  if (!request.dynamic_classes || !request.redaction.rule) return nullptr;
  return [&request](const Type* object) {
    std::vector<HiddenObjects> hidden;
    if (!symbols::has_vtable_pointer(object)) return hidden;
    for (const DynamicClass& each : request.dynamic_classes(object)) {
      auto why = why_step_hidden("", each.type, request.redaction);
      if (!why) continue;
      HiddenObjects& objects = hidden.emplace_back(HiddenObjects{*std::move(why), {}});
      for (const auto& [address, distance] : each.vtables) objects.vtables.push_back(address);
    }
    return hidden;
  };
}

bool uses_xmm(const std::vector<program::Instruction>& code) {
  return std::any_of(code.begin(), code.end(), [](const program::Instruction& i) {
    return program::class_of(i) == program::InstructionClass::kLoad &&
           i.src == static_cast<std::uint8_t>(kContext) && i.offset >= 256;
  });
}

}  // namespace

Builder::Builder(const CaptureRequest& request)
    : request_(request),
      generator_(code_, request.bias, request.has_thread_pointer, hidden_below(request)),
      space_(std::min(request.limits.record_bytes, kLargestRecord)),
      writer_(code_, generator_, space_, request) {}

// Finds what must be captured for the value: shown whole, or only computed with.
void Builder::collect(const Expr& expr, const language::Source& source, bool shown) {
  const bool leaf = expr.kind == ExprKind::kLoad || expr.kind == ExprKind::kAddress ||
                    is_pointer_step(expr) || language::is_container_length(expr);
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
  if (why_hidden(root, request_.redaction)) {
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

void Builder::compute_frame(Register to) {
  code_.load_context(to, *context_offset(request_.call->dwarf_register));
  code_.alu(AluOp::kAdd, to, static_cast<std::uint64_t>(request_.call->distance));
}

void Builder::take_token() {
  if (!request_.call) {
    code_.call(Helper::kTakeToken);
    return;
  }
  compute_frame(R::kR1);
  code_.call(request_.call->ends ? Helper::kCloseCall : Helper::kOpenCall);
}

void Builder::keep_frame() {
  if (!request_.call) return;
  compute_frame(R::kR0);
  code_.store(Size::k8, body(built_.layout.frame), R::kR0);
}

Status Builder::place_frame() {
  if (!request_.call) return {};
  const auto at = space_.take(sizeof(std::uint64_t));
  if (!at)
    return fail(ErrorCode::kRefused, "record-too-large", "A record has no room for a call.",
                "Capture fewer or smaller values.");
  built_.layout.frame = *at;
  return {};
}

Result<BuiltCapture> Builder::run() {
  code_.mov(kContext, R::kR1);
  NOHALT_CHECK(condition());
  NOHALT_CHECK(place_frame());
  for (const BoundPtr& value : request_.values) {
    built_.layout.values.push_back(value);
    collect(*value->root, value->source, true);
  }
  built_.layout.nodes.reserve(leaves_.size());
  NOHALT_CHECK(place_stack());
  for (Leaf& leaf : leaves_) NOHALT_CHECK(place(leaf));

  const auto suppressed = code_.label();
  const auto dropped = code_.label();
  take_token();
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, suppressed);
  code_.call(Helper::kReserve);
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, dropped);
  code_.mov(kBody, R::kR0);
  keep_frame();
  emit_stack();
  NOHALT_CHECK(share_reads());
  for (Leaf& leaf : leaves_) NOHALT_CHECK(emit(leaf));
  code_.mov(R::kR1, kBody);
  code_.call(Helper::kCommit);
  code_.exit(Outcome::kCommitted);
  code_.bind(suppressed);
  // The end of a call that was not chosen is nothing that a limit held back.
  const bool ends_call = request_.call && request_.call->ends;
  code_.exit(ends_call ? Outcome::kNoMatch : Outcome::kSuppressed);
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

Result<BuiltCapture> build_capture(const CaptureRequest& request) { return Builder(request).run(); }

}  // namespace nohalt::capture
