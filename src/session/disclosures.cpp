#include "src/session/disclosures.h"

#include <algorithm>
#include <string>
#include <utility>

namespace nohalt::session {

namespace {

using capture::Node;
using capture::ValueState;
using output::PlanValue;

class Teller {
 public:
  explicit Teller(const capture::CaptureLayout& layout) : layout_(layout) {}

  [[nodiscard]] PlanValue tell(std::string name, const language::BoundExpression& bound) {
    PlanValue value;
    value.name = std::move(name);
    value.type = language::type_name(bound.root->type);
    leaves_ = false;
    why_.clear();
    hidden_.clear();
    visit(*bound.root, value.name);
    value.state = leaves_ && hidden_.empty() ? "leaves"
                  : leaves_                  ? "partly"
                  : !hidden_.empty()         ? "hidden"
                                             : "not-captured";
    if (value.state == "hidden") value.why = hidden_.front().why;
    if (value.state == "not-captured") value.why = why_;
    if (value.state == "partly") value.hidden = std::move(hidden_);
    return value;
  }

 private:
  void visit(const language::Expr& expr, const std::string& name) {
    const auto found = layout_.node_of.find(&expr);
    if (found != layout_.node_of.end()) return visit(layout_.nodes[found->second], name);
    if (expr.operands.empty()) leaves_ = true;  // known without the target
    for (const auto& operand : expr.operands) visit(*operand, name);
  }

  void visit(const Node& node, const std::string& name) {
    if (node.kind == Node::Kind::kAbsent) {
      if (node.absent.state == ValueState::kRedacted)
        add(name, node.absent.text);
      else
        why_ = node.absent.text.empty() ? "optimized out" : node.absent.text;
      return;
    }
    leaves_ = true;
    for (const capture::Hole& hole : node.holes)
      if (hole.why.state == ValueState::kRedacted)
        add(hole.path.empty() ? name : hole.path, hole.why.text);
    for (const capture::Follow& follow : node.follows)
      if (follow.node->kind != Node::Kind::kAbsent ||
          follow.node->absent.state == ValueState::kRedacted)
        visit(*follow.node, name);
    if (node.items == nullptr) return;
    for (const Node& slot : node.items->slots) visit(slot, name);
    for (const Node& slot : node.items->values) visit(slot, name);
  }

  // Items of a container are alike.
  void add(const std::string& path, const std::string& why) {
    const auto same = [&](const PlanValue::Hidden& one) {
      return one.path == path && one.why == why;
    };
    if (std::ranges::none_of(hidden_, same)) hidden_.push_back({path, why});
  }

  const capture::CaptureLayout& layout_;
  bool leaves_ = false;
  std::string why_;
  std::vector<PlanValue::Hidden> hidden_;
};

}  // namespace

std::vector<PlanValue> disclosures_of(const PreparedSite& site) {
  std::vector<PlanValue> all;
  if (!site.capture) return all;
  Teller teller(site.capture->layout);
  for (const ScopeFrame& frame : site.frames)
    for (const ScopeValue& value : frame.values)
      all.push_back(value.left_out.empty() ? teller.tell(value.name, *value.bound)
                                           : PlanValue{value.name,
                                                       language::type_name(value.variable.type),
                                                       "not-captured",
                                                       value.left_out,
                                                       {}});
  for (const auto& value : site.message.values) all.push_back(teller.tell(value->name, *value));
  for (const auto& value : site.extra) all.push_back(teller.tell(value->name, *value));
  return all;
}

}  // namespace nohalt::session
