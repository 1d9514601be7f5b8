// A program cannot read back what it wrote to the record, so a pointer that is
// followed passes through the program's stack: small objects whole, large ones
// copied straight to the record and their pointers read once more, in clusters.
// The pointer that was followed is the one that the record then holds.
#include "probes/capture/writer.h"

#include <algorithm>

#include "probes/capture/holes.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

namespace {

// Past this many instructions nothing more is followed.
constexpr std::size_t kEnoughCode = 12'000;
// A container's item that takes no more than this is not cut short while there is any
// left, nor is what takes no more room in the record.
constexpr std::size_t kFairLeads = 4;
constexpr std::size_t kFairCode = 160;
constexpr std::size_t kFairRoom = 1024;
constexpr std::size_t kCodeOfText = 24;  // at most, for one text
constexpr std::size_t kCodeOfSlot = 40;  // and for an item of a container

}  // namespace

Writer::Writer(Code& code, Generator& generator, RecordSpace& space, const CaptureRequest& request)
    : code_(code),
      generator_(generator),
      space_(space),
      request_(request),
      most_leads_(request.limits.pointers),
      most_code_(kEnoughCode) {}

Writer::Share::Share(Writer& writer, std::size_t waiting, Of of)
    : writer_(writer),
      most_leads_(writer.most_leads_),
      most_code_(writer.most_code_),
      most_room_(writer.space_.limit()) {
  waiting = std::max<std::size_t>(waiting, 1);
  const auto narrow = [waiting](std::size_t used, std::size_t& most, std::size_t least) {
    if (used >= most) return;
    most = std::min(most, used + std::max((most - used + waiting - 1) / waiting, least));
  };
  const bool is_slot = of == Of::kAllButRoom;
  narrow(writer.leads_followed_, writer.most_leads_, is_slot ? kFairLeads : 0);
  narrow(writer.code_spoken_for(), writer.most_code_, is_slot ? kFairCode : 0);
  if (is_slot) return;
  std::size_t room = most_room_;
  narrow(writer.space_.used(), room, kFairRoom);
  writer.space_.set_limit(static_cast<std::uint32_t>(room));
}

Writer::Share::~Share() {
  writer_.most_leads_ = most_leads_;
  writer_.most_code_ = most_code_;
  writer_.space_.set_limit(most_room_);
}

std::size_t Writer::code_spoken_for() const { return code_.size() + kCodeOfText * texts_waiting_; }

bool Writer::may_go_on() const {
  return leads_followed_ < most_leads_ && code_spoken_for() < most_code_;
}

bool Writer::has_room_for(const Type* type, const Shape& shape) const {
  std::uint64_t room = strip_typedefs(type)->byte_size + 1;
  for (const Lead& lead : shape.leads) {
    const bool is_text = lead.kind == Lead::Kind::kText || lead.kind == Lead::Kind::kCountedText;
    if (is_text) room += request_.limits.string_bytes + 5;
  }
  const std::size_t leads = shape.leads.size();
  return room <= space_.limit() - space_.used() && leads_followed_ + leads < most_leads_ &&
         code_spoken_for() + kCodeOfSlot + kCodeOfText * leads < most_code_;
}

void Writer::leave_out(Node& node, const Shape& shape) {
  for (const Lead& lead : shape.leads) leave_out(node, lead);
}

void Writer::leave_out(Node& node, const Lead& lead) {
  auto nothing = std::make_unique<Node>();
  nothing->type = lead.target;
  nothing->absent = not_followed();
  node.follows.push_back({lead.at, std::move(nothing)});
}

// The node for what the pointer leads to; null where it is not followed, which
// the node then says.
Node* Writer::target_of(Node& node, const Lead& lead) {
  if (lead.at + lead.size() > node.size) return nullptr;
  const auto is_this = [&](const Follow& follow) {
    return follow.at == lead.at && lead.guards.empty();
  };
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
                    std::uint32_t depth, bool is_in_row) const {
  return shape_of(type, path,
                  {request_.redaction, bytes, request_.limits.items, depth > 1, is_in_row});
}

void Writer::write_status(const Node& node, std::uint8_t status) {
  if (node.status != kNowhere) code_.store(Size::k1, body(node.status), status);
}

Miss Writer::miss_into(std::vector<Node*> nodes, Code::Label label) {
  return {label, [this, nodes = std::move(nodes)](const Why& why) {
            std::size_t index = 0;
            auto& whys = nodes[0]->whys;
            while (index < whys.size() &&
                   (whys[index].text != why.text || whys[index].state != why.state)) {
              ++index;
            }
            if (index == whys.size() && index < kMaxWhys) {
              for (Node* node : nodes) node->whys.push_back(why);
            }
            write_status(*nodes[0], status_of(std::min(index, whys.size() - 1)));
          }};
}

void Writer::copy_from_stack(const Node& node, Dest from) {
  for (const Hole& part : gaps_between(node.holes, node.size)) {
    code_.copy(body(node.data).plus(part.begin), from.plus(part.begin), part.end - part.begin);
  }
}

void Writer::follow_from_stack(Node& node, const Source& from, const Shape& shape,
                               std::uint32_t depth) {
  std::size_t waiting = shape.leads.size();
  for (const Lead& lead : shape.leads) {
    const Share share(*this, waiting--);
    Node* target = target_of(node, lead);
    follow_if_there(node, target, lead, from, depth);
  }
}

void Writer::from_stack(Node& node, const Source& from, const Shape& shape, std::uint32_t depth) {
  copy_from_stack(node, *from.bytes);
  write_status(node, kStatusCaptured);
  follow_from_stack(node, from, shape, depth);
}

void Writer::load_address(const Source& from, std::uint64_t distance) {
  code_.load(Size::k8, R::kR3, *from.base);
  if (from.distance + distance != 0) code_.alu(AluOp::kAdd, R::kR3, from.distance + distance);
}

void Writer::from_memory(Node& node, const Source& from, const Shape& shape, std::uint32_t depth,
                         const Miss& miss, const Why& unreadable) {
  miss.because(unreadable.state, unreadable.text);
  if (node.size <= kInnerWindow) {
    const StackScope scope(code_);
    if (const auto window = code_.take_stack(node.size)) {
      load_address(from, 0);
      generator_.read(from.helper, *window, node.size, miss);
      Source copied = from;
      copied.bytes = window;
      from_stack(node, copied, shape, depth);
      return;
    }
  }
  for (const Hole& part : gaps_between(node.holes, node.size)) {
    load_address(from, part.begin);
    generator_.read(from.helper, body(node.data).plus(part.begin), part.end - part.begin, miss);
  }
  write_status(node, kStatusCaptured);
  follow_clusters(node, from, shape, depth);
}

// Leads near each other have their bytes read together. A container reads its own.
void Writer::follow_if_there(const Node& node, Node* target, const Lead& lead, const Source& from,
                             std::uint32_t depth) {
  if (target == nullptr) return;
  const auto absent = code_.label();
  if (!lead.guards.empty()) write_status(*target, status_of(kWhyPointer));
  skip_unless_there(node, lead, from, absent);
  follow(*target, lead, from.plus(lead.at), depth);
  code_.bind(absent);
}

// Of a value that is not on the stack the discriminant is read again, and the record gets
// what it was then.
void Writer::skip_unless_there(const Node& node, const Lead& lead, const Source& from,
                               Code::Label label) {
  for (const Guard& guard : lead.guards) {
    const StackScope scope(code_);
    std::optional<Dest> at = from.bytes ? std::optional(from.bytes->plus(guard.at)) : std::nullopt;
    if (!at) {
      at = code_.take_stack(8);
      if (!at) return code_.jump(label);
      load_address(from, guard.at);
      generator_.read(from.helper, *at, guard.size, {label, nullptr});
      code_.copy(body(node.data).plus(guard.at), *at, guard.size);
    }
    const auto fits = code_.label();
    code_.load(size_of(guard.size), R::kR3, *at);
    for (const std::uint64_t value : guard.values)
      code_.jump_if(JumpOp::kEqual, R::kR3, value, guard.is_one_of ? fits : label);
    if (guard.is_one_of) code_.jump(label);
    code_.bind(fits);
  }
}

void Writer::follow_clusters(Node& node, const Source& from, const Shape& shape,
                             std::uint32_t depth) {
  std::vector<Lead> leads = shape.leads;
  const auto end_of = [](const Lead& lead) { return lead.at + lead.size(); };
  std::stable_sort(leads.begin(), leads.end(), [](const Lead& a, const Lead& b) {
    return (a.kind == Lead::Kind::kItems) != (b.kind == Lead::Kind::kItems)
               ? b.kind == Lead::Kind::kItems
               : a.at < b.at;
  });
  std::size_t i = 0;
  while (i < leads.size() && leads[i].kind != Lead::Kind::kItems) {
    const std::uint64_t begin = leads[i].at;
    std::size_t end = i;
    const StackScope scope(code_);
    const auto window = code_.take_stack(kInnerWindow);
    std::vector<Node*> targets;
    for (; end < leads.size() && leads[end].kind != Lead::Kind::kItems &&
           end_of(leads[end]) <= begin + kInnerWindow;
         ++end) {
      if (!window) leave_out(node, leads[end]);
      targets.push_back(window ? target_of(node, leads[end]) : nullptr);
    }
    const bool some = std::ranges::any_of(targets, [](const Node* n) { return n != nullptr; });
    if (!some) {
      i = end;
      continue;
    }
    for (const Node* target : targets) {
      if (target != nullptr) write_status(*target, status_of(kWhyPointer));
    }
    const auto next = code_.label();
    load_address(from, begin);
    generator_.read(from.helper, *window, end_of(leads[end - 1]) - begin, {next, nullptr});
    for (std::size_t k = i; k < end; ++k) {
      if (targets[k - i] == nullptr) continue;
      const Share share(*this, leads.size() - k);
      Source here = from.plus(leads[k].at);
      here.bytes = window->plus(leads[k].at - begin);
      if (leads[k].kind != Lead::Kind::kCountedText)
        code_.copy(body(node.data).plus(leads[k].at), *here.bytes, leads[k].size());
      const auto absent = code_.label();
      skip_unless_there(node, leads[k], from, absent);
      follow(*targets[k - i], leads[k], here, depth);
      code_.bind(absent);
    }
    code_.bind(next);
    i = end;
  }
  for (; i < leads.size(); ++i) {
    const Share share(*this, leads.size() - i);
    Node* target = target_of(node, leads[i]);
    follow_if_there(node, target, leads[i], from, depth);
  }
}

std::unique_ptr<Node> Writer::new_lead_node(const Lead& lead, const std::string& name) {
  auto node = std::make_unique<Node>();
  node->type = lead.target;
  const auto status = space_.take(1);
  if (!status) return nullptr;
  node->status = *status;
  const bool is_object = lead.kind == Lead::Kind::kRecord && tells_its_class(lead.target);
  const bool is_made = is_object                          ? make_object(*node)
                       : lead.kind == Lead::Kind::kRecord ? make_bytes(*node, lead.target)
                       : lead.kind == Lead::Kind::kItems  ? make_items(*node, lead)
                                                          : make_text(*node, lead);
  if (!is_made) return nullptr;
  if (lead.kind != Lead::Kind::kItems) {
    node->whys = {{ValueState::kUnreadable, name + " could not be read again"},
                  {ValueState::kUnreadable, name + " is null"},
                  {ValueState::kUnreadable, "the memory at " + name + " cannot be read"}};
  }
  return node;
}

bool Writer::make_bytes(Node& node, const Type* type) {
  node.kind = Node::Kind::kBytes;
  const std::uint64_t size =
      std::min<std::uint64_t>(strip_typedefs(type)->byte_size, request_.limits.aggregate_bytes);
  const auto data = space_.take(size);
  if (!data) return false;
  node.data = *data;
  node.size = static_cast<std::uint32_t>(size);
  return true;
}

void Writer::follow(Node& node, const Lead& lead, const Source& from, std::uint32_t depth) {
  const bool is_pointer = lead.kind == Lead::Kind::kRecord || lead.kind == Lead::Kind::kText;
  const bool is_text = lead.kind == Lead::Kind::kCountedText;
  if ((is_pointer && from.is_lost(0, 8)) || (is_text && (from.is_lost(lead.text.pointer_at, 8) ||
                                                         from.is_lost(lead.text.length_at, 8)))) {
    node.kind = Node::Kind::kAbsent;
    node.absent = partly_known();
    return;
  }
  const auto done = code_.label();
  if (lead.kind == Lead::Kind::kItems)
    follow_items(node, lead, from, depth, done);
  else if (lead.kind == Lead::Kind::kRecord)
    follow_record(node, lead, *from.bytes, depth, done);
  else
    follow_text(node, lead, from, done);
  code_.bind(done);
}

void Writer::follow_record(Node& node, const Lead& lead, Dest pointer, std::uint32_t depth,
                           Code::Label done) {
  write_status(node, status_of(kWhyNull));
  code_.load(Size::k8, R::kR3, pointer);
  code_.jump_if(JumpOp::kEqual, R::kR3, 0, done);
  write_status(node, status_of(kWhyUnreadable));
  if (node.kind == Node::Kind::kItems)
    return follow_object(node, lead.path, {.bytes = {}, .base = pointer}, depth - 1,
                         {done, nullptr});
  const Shape inner = shape(lead.target, lead.path, node.size, depth - 1);
  node.holes = inner.holes;
  from_memory(node, {.bytes = {}, .base = pointer}, inner, depth - 1, {done, nullptr},
              node.whys[kWhyUnreadable]);
}

}  // namespace nohalt::capture
