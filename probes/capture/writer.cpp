// A program cannot read back what it wrote to the record, so a pointer that is
// followed passes through the program's stack: small objects whole, large ones
// copied straight to the record and their pointers read once more, in clusters.
// The pointer that was followed is the one that the record then holds.
#include "probes/capture/writer.h"

#include <algorithm>

#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

namespace {

// Past this many instructions nothing more is followed.
constexpr std::size_t kEnoughCode = 3000;
constexpr std::size_t kCodeOfText = 24;  // at most, for one text

constexpr std::size_t kWhyPointer = 0;  // whys of a followed node
constexpr std::size_t kWhyNull = 1;
constexpr std::size_t kWhyUnreadable = 2;

std::uint8_t status_of(std::size_t why) { return static_cast<std::uint8_t>(kStatusFirstWhy + why); }
Dest body(std::uint32_t offset) { return {kBody, static_cast<std::int32_t>(offset)}; }

}  // namespace

Writer::Writer(Code& code, Generator& generator, RecordSpace& space, const CaptureRequest& request)
    : code_(code),
      generator_(generator),
      space_(space),
      request_(request),
      most_leads_(request.limits.pointers),
      most_code_(kEnoughCode) {}

Writer::Share::Share(Writer& writer, std::size_t waiting)
    : writer_(writer), most_leads_(writer.most_leads_), most_code_(writer.most_code_) {
  const auto narrow = [waiting](std::size_t used, std::size_t& most) {
    if (used < most) most = used + (most - used + waiting - 1) / waiting;
  };
  narrow(writer.leads_followed_, writer.most_leads_);
  narrow(writer.code_spoken_for(), writer.most_code_);
}

Writer::Share::~Share() {
  writer_.most_leads_ = most_leads_;
  writer_.most_code_ = most_code_;
}

std::size_t Writer::code_spoken_for() const { return code_.size() + kCodeOfText * texts_waiting_; }

bool Writer::may_go_on() const {
  return leads_followed_ < most_leads_ && code_spoken_for() < most_code_;
}

void Writer::make_room(Node& node, const Shape& shape) {
  const bool is_text = shape.leads.size() == 1 && shape.leads[0].kind != Lead::Kind::kRecord &&
                       (language::is_pointer(node.type) || language::is_std_string(node.type));
  auto target = is_text ? new_lead_node(shape.leads[0], shape.leads[0].path) : nullptr;
  if (!target) return;
  node.follows.push_back({shape.leads[0].at, std::move(target)});
  ++texts_waiting_;
}

void Writer::leave_out(Node& node, const Shape& shape) {
  for (const Lead& lead : shape.leads) leave_out(node, lead);
}

void Writer::leave_out(Node& node, const Lead& lead) {
  auto nothing = std::make_unique<Node>();
  nothing->type = lead.target;
  nothing->absent = {ValueState::kUnavailable,
                     "not followed: the probe captures as much as one may"};
  node.follows.push_back({lead.at, std::move(nothing)});
}

// The node for what the pointer leads to; null where it is not followed, which
// the node then says.
Node* Writer::target_of(Node& node, const Lead& lead) {
  if (lead.at + 8 > node.size) return nullptr;
  const auto is_this = [&](const Follow& follow) { return follow.at == lead.at; };
  const auto ready = std::find_if(node.follows.begin(), node.follows.end(), is_this);
  if (ready != node.follows.end()) {
    --texts_waiting_;
    return ready->node.get();
  }
  auto target = may_go_on() ? new_lead_node(lead, lead.path) : nullptr;
  if (!target) {
    leave_out(node, lead);
    return nullptr;
  }
  ++leads_followed_;
  node.follows.push_back({lead.at, std::move(target)});
  return node.follows.back().node.get();
}

Shape Writer::shape(const Type* type, const std::string& path, std::uint64_t bytes,
                    std::uint32_t depth) const {
  return shape_of(type, path, {request_.is_redacted, bytes, request_.limits.items, depth > 1});
}

void Writer::write_status(const Node& node, std::uint8_t status) {
  if (node.status != kNowhere) code_.store(Size::k1, body(node.status), status);
}

Miss Writer::miss_into(std::vector<Node*> nodes, Code::Label label) {
  return {
      label, [this, nodes = std::move(nodes)](ValueState state, const std::string& text) {
        std::size_t index = 0;
        auto& whys = nodes[0]->whys;
        while (index < whys.size() && (whys[index].text != text || whys[index].state != state)) {
          ++index;
        }
        if (index == whys.size() && index < kMaxWhys) {
          for (Node* node : nodes) node->whys.push_back({state, text});
        }
        write_status(*nodes[0], status_of(std::min(index, whys.size() - 1)));
      }};
}

void Writer::copy_from_stack(const Node& node, Dest from) {
  for (const Hole& part : gaps_between(node.holes, node.size)) {
    code_.copy(body(node.data).plus(part.begin), from.plus(part.begin), part.end - part.begin);
  }
}

void Writer::follow_from_stack(Node& node, Dest from, const Shape& shape, std::uint32_t depth) {
  std::size_t waiting = shape.leads.size();
  for (const Lead& lead : shape.leads) {
    const Share share(*this, waiting--);
    Node* target = target_of(node, lead);
    if (target == nullptr) continue;
    follow(*target, lead, from.plus(lead.at), from.plus(lead.length_at), depth);
  }
}

void Writer::from_stack(Node& node, Dest from, const Shape& shape, std::uint32_t depth) {
  copy_from_stack(node, from);
  write_status(node, kStatusCaptured);
  follow_from_stack(node, from, shape, depth);
}

void Writer::from_memory(Node& node, Dest base, Helper helper, const Shape& shape,
                         std::uint32_t depth, const Miss& miss, const Why& unreadable) {
  const auto address = [&](std::uint64_t distance) {
    code_.load(Size::k8, R::kR3, base);
    if (distance != 0) code_.alu(AluOp::kAdd, R::kR3, distance);
  };
  miss.because(unreadable.state, unreadable.text);
  if (node.size <= kInnerWindow) {
    const StackScope scope(code_);
    if (const auto window = code_.take_stack(node.size)) {
      address(0);
      generator_.read(helper, *window, node.size, miss);
      from_stack(node, *window, shape, depth);
      return;
    }
  }
  for (const Hole& part : gaps_between(node.holes, node.size)) {
    address(part.begin);
    generator_.read(helper, body(node.data).plus(part.begin), part.end - part.begin, miss);
  }
  write_status(node, kStatusCaptured);
  follow_clusters(node, base, helper, shape, depth);
}

void Writer::follow_clusters(Node& node, Dest base, Helper helper, const Shape& shape,
                             std::uint32_t depth) {
  std::vector<Lead> leads = shape.leads;
  const auto first_of = [](const Lead& lead) {
    return lead.kind == Lead::Kind::kStdString ? std::min(lead.at, lead.length_at) : lead.at;
  };
  const auto end_of = [](const Lead& lead) {
    return (lead.kind == Lead::Kind::kStdString ? std::max(lead.at, lead.length_at) : lead.at) + 8;
  };
  std::sort(leads.begin(), leads.end(),
            [&](const Lead& a, const Lead& b) { return first_of(a) < first_of(b); });
  for (std::size_t i = 0; i < leads.size();) {
    const std::uint64_t begin = first_of(leads[i]);
    std::size_t end = i;
    const StackScope scope(code_);
    const auto window = code_.take_stack(kInnerWindow);
    std::vector<Node*> targets;
    for (; end < leads.size() && end_of(leads[end]) <= begin + kInnerWindow; ++end) {
      if (!window) leave_out(node, leads[end]);
      targets.push_back(window ? target_of(node, leads[end]) : nullptr);
    }
    if (end == i) leave_out(node, leads[end++]);  // pointer and length too far apart
    const bool some = std::ranges::any_of(targets, [](const Node* n) { return n != nullptr; });
    if (!some) {
      i = end;
      continue;
    }
    for (const Node* target : targets) {
      if (target != nullptr) write_status(*target, status_of(kWhyPointer));
    }
    const auto next = code_.label();
    code_.load(Size::k8, R::kR3, base);
    if (begin != 0) code_.alu(AluOp::kAdd, R::kR3, begin);
    const std::uint64_t span = end_of(leads[end - 1]) - begin;
    generator_.read(helper, *window, span, {next, nullptr});
    for (std::size_t k = i; k < end; ++k) {
      if (targets[k - i] == nullptr) continue;
      const Share share(*this, leads.size() - k);
      const Dest pointer = window->plus(leads[k].at - begin);
      const bool text = leads[k].kind == Lead::Kind::kStdString;
      const Dest length = text ? window->plus(leads[k].length_at - begin) : pointer;
      code_.copy(body(node.data).plus(leads[k].at), pointer, 8);
      if (text) code_.copy(body(node.data).plus(leads[k].length_at), length, 8);
      follow(*targets[k - i], leads[k], pointer, length, depth);
    }
    code_.bind(next);
    i = end;
  }
}

std::unique_ptr<Node> Writer::new_lead_node(const Lead& lead, const std::string& name) {
  auto node = std::make_unique<Node>();
  node->type = lead.target;
  const auto status = space_.take(1);
  if (!status) return nullptr;
  node->status = *status;
  if (lead.kind == Lead::Kind::kRecord) {
    node->kind = Node::Kind::kBytes;
    const std::uint64_t size = std::min<std::uint64_t>(strip_typedefs(lead.target)->byte_size,
                                                       request_.limits.aggregate_bytes);
    const auto data = space_.take(size);
    if (!data) return nullptr;
    node->data = *data;
    node->size = static_cast<std::uint32_t>(size);
  } else {
    node->kind = Node::Kind::kText;
    node->size = std::max<std::uint32_t>(request_.limits.string_bytes, 1);
    node->text_may_go_on = lead.kind == Lead::Kind::kText;
    const auto length = space_.take(4);
    const auto data = length ? space_.take(node->size) : std::nullopt;
    if (!data) return nullptr;
    node->length = *length;
    node->data = *data;
  }
  node->whys = {{ValueState::kUnreadable, name + " could not be read again"},
                {ValueState::kUnreadable, name + " is null"},
                {ValueState::kUnreadable, "the memory at " + name + " cannot be read"}};
  return node;
}

void Writer::follow(Node& node, const Lead& lead, Dest pointer, Dest length, std::uint32_t depth) {
  const auto done = code_.label();
  if (lead.kind == Lead::Kind::kRecord) {
    follow_record(node, lead, pointer, depth, done);
  } else {
    follow_text(node, lead, pointer, length, done);
  }
  code_.bind(done);
}

void Writer::follow_text(Node& node, const Lead& lead, Dest pointer, Dest length,
                         Code::Label done) {
  write_status(node, status_of(kWhyNull));
  code_.load(Size::k8, R::kR3, pointer);
  code_.jump_if(JumpOp::kEqual, R::kR3, 0, done);
  write_status(node, status_of(kWhyUnreadable));
  const bool known_length = lead.kind == Lead::Kind::kStdString;
  if (known_length) code_.load(Size::k8, R::kR4, length);
  generator_.read(known_length ? Helper::kReadBytes : Helper::kReadString, body(node.data),
                  node.size, {done, nullptr});
  if (known_length) {
    // One more than fits says that there was more.
    const auto whole = code_.label();
    code_.load(Size::k8, R::kR1, length);
    code_.jump_if(JumpOp::kLessEqual, R::kR1, std::uint64_t{node.size}, whole);
    code_.mov(R::kR0, std::uint64_t{node.size} + 1);
    code_.bind(whole);
  }
  code_.store(Size::k4, body(node.length), R::kR0);
  write_status(node, kStatusCaptured);
}

void Writer::follow_record(Node& node, const Lead& lead, Dest pointer, std::uint32_t depth,
                           Code::Label done) {
  const Shape inner = shape(lead.target, lead.path, node.size, depth - 1);
  node.holes = inner.holes;
  write_status(node, status_of(kWhyNull));
  code_.load(Size::k8, R::kR3, pointer);
  code_.jump_if(JumpOp::kEqual, R::kR3, 0, done);
  write_status(node, status_of(kWhyUnreadable));
  from_memory(node, pointer, Helper::kReadUser, inner, depth - 1, {done, nullptr},
              node.whys[kWhyUnreadable]);
}

}  // namespace nohalt::capture
