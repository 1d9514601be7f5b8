// One step: look up the rules at what the frame is doing; compute its CFA; from
// that and the rules the caller's registers. A frame that called is doing what is
// just before its pc, since a call may be a function's last instruction; one that
// was interrupted by a signal is doing what is at its pc.
#include "probes/stacks/unwind.h"

#include <algorithm>
#include <cstring>

namespace nohalt::stacks {

namespace {

using symbols::RegisterRule;
using symbols::RuleKind;
using symbols::UnwindRow;

class Walk {
 public:
  Walk(const CapturedStack& captured, const UnwindImages& images)
      : images_(images), read_(memory_of(captured)) {
    for (std::size_t i = 0; i < origins_.size(); ++i) origins_[i] = {Origin::Kind::kRegister, i};
    read_guide_ = [this](std::uint64_t from, std::span<std::byte> to) {
      if (to.size() == sizeof(std::uint64_t)) guided_by({Origin::Kind::kStack, from});
      return read_(from, to);
    };
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  Unwound run(Registers registers, std::size_t max_frames);

 private:
  bool step();
  bool locate(Frame& frame);
  bool find_rules(Frame& frame);
  bool compute_cfa(Frame& frame);
  bool go_out(const Frame& frame);
  bool accept(const Frame& frame);
  std::optional<std::uint64_t> recover(const RegisterRule& rule, std::size_t number,
                                       const Frame& frame, bool& is_cut);
  void guided_by(const Origin& origin) {
    if (origin.kind != Origin::Kind::kNowhere) result_.guides.push_back(origin);
  }
  void guided_by(const std::vector<symbols::Op>& program, const Frame& frame);
  bool end(Ending ending, std::string why) {
    result_.ending = ending;
    result_.why = std::move(why);
    return false;
  }
  bool end_lacking(Lacking what, const char* need);

  const UnwindImages& images_;
  ReadMemory read_;
  ReadMemory read_guide_;  // the same of what tells where frames are
  Unwound result_;
  Registers next_;            // of the frame that comes next
  Origins origins_;           // of those
  bool is_exact_ = true;      // its pc is what it is doing
  bool is_any_cut_ = false;   // a register was saved outside of the captured bytes
  bool is_off_site_ = false;  // a probe was at work: its registers are not the site's
  std::optional<CodePlace> place_;
  UnwindRow row_;
};

Unwound Walk::run(Registers registers, std::size_t max_frames) {
  next_ = registers;
  while (step()) {
    if (result_.frames.size() < max_frames) continue;
    end(Ending::kFrameLimit, "There are more frames than were asked for.");
    break;
  }
  return std::move(result_);
}

bool Walk::step() {
  const Frame* inner = result_.frames.empty() ? nullptr : &result_.frames.back();
  const bool was_called = inner != nullptr && inner->kind != FrameKind::kSignal;
  Frame frame;
  frame.kind = inner == nullptr ? FrameKind::kFirst : FrameKind::kNormal;
  frame.registers = next_;
  frame.origins = origins_;
  const bool is_known = locate(frame) && find_rules(frame);
  if (was_called && !accept(frame)) return false;
  const bool has_cfa = is_known && compute_cfa(frame);
  const bool is_on_same_stack = was_called && frame.kind != FrameKind::kSignal;
  if (has_cfa && is_on_same_stack && *frame.cfa <= *inner->cfa)
    return end(Ending::kUnreliable, "The next frame would lie below the one that it called.");
  result_.frames.push_back(std::move(frame));
  return has_cfa && go_out(result_.frames.back());
}

// Where the frame is: run-time addresses first, then the file's.
bool Walk::locate(Frame& frame) {
  frame.pc = {*next_[kPc]};
  is_off_site_ = false;
  if (const std::optional<ProbeCode> code = images_.probe_code(frame.pc)) {
    frame.pc = code->site;
    frame.registers[kPc] = code->site.value;
    is_off_site_ = !code->is_as_at_site;
  }
  frame.lookup_pc = is_exact_ ? frame.pc : frame.pc - 1;
  place_ = images_.find(frame.lookup_pc);
  if (!place_)
    return end(Ending::kNoInformation, "The code at the last frame's pc comes from no known file.");
  frame.module = place_->image->name();
  frame.build_id = images_.table(*place_).build_id();
  frame.link_pc = place_->address;
  frame.bias = place_->bias;
  return true;
}

bool Walk::find_rules(Frame& frame) {
  std::optional<UnwindRow> row = images_.table(*place_).row_at(frame.link_pc);
  if (!row)
    return end(Ending::kNoInformation,
               frame.module + " holds no call frame information for the last frame's pc.");
  row_ = std::move(*row);
  if (row_.is_signal_frame) {
    frame.kind = FrameKind::kSignal;
    frame.link_pc = frame.link_pc + (frame.pc - frame.lookup_pc);
    frame.lookup_pc = frame.pc;
  }
  return true;
}

// A return address stands behind a call; only the kernel makes one that does not.
bool Walk::accept(const Frame& frame) {
  if (frame.kind == FrameKind::kSignal) return true;
  if (!place_) {
    return images_.is_code(frame.lookup_pc) ||
           end(Ending::kUnreliable, "The next return address does not lead to code.");
  }
  const LinkAddress pc = frame.link_pc + (frame.pc - frame.lookup_pc);
  if (images_.table(*place_).follows_call(pc)) return true;
  return end(Ending::kUnreliable, "The next return address does not stand behind a call.");
}

bool Walk::end_lacking(Lacking what, const char* need) {
  if (what == Lacking::kMemory)
    return end(Ending::kStackCut,
               "The captured part of the stack ends before " + std::string(need) + ".");
  if (is_any_cut_)
    return end(Ending::kStackCut, "A register that " + std::string(need) +
                                      " depends on was saved where the stack was not captured.");
  return end(Ending::kUnreliable, "A register that " + std::string(need) + " depends on is lost.");
}

bool Walk::compute_cfa(Frame& frame) {
  if (is_off_site_)
    return end(Ending::kUnreliable,
               "The thread was in a probe's own code, where its stack is not known.");
  guided_by(row_.cfa, frame);
  const auto cfa = evaluate(row_.cfa, frame.registers, frame.bias, read_guide_);
  if (!cfa) return end_lacking(cfa.error(), "the last frame's own address");
  frame.cfa = RuntimeAddress{*cfa};
  return true;
}

void Walk::guided_by(const std::vector<symbols::Op>& program, const Frame& frame) {
  for (const symbols::Op& op : program)
    if (op.kind == symbols::OpKind::kRegister && op.number < frame.origins.size())
      guided_by(frame.origins[op.number]);
}

std::optional<std::uint64_t> Walk::recover(const RegisterRule& rule, std::size_t number,
                                           const Frame& frame, bool& is_cut) {
  is_cut = false;
  origins_[number] = {};
  if (rule.kind == RuleKind::kUndefined || rule.kind == RuleKind::kUnknown) return std::nullopt;
  if (rule.kind == RuleKind::kSame) {
    origins_[number] = frame.origins[number];
    return frame.registers[number];
  }
  const auto computed = evaluate(rule.program, frame.registers, frame.bias, read_guide_);
  if (!computed) {
    is_cut = computed.error() == Lacking::kMemory;
    return std::nullopt;
  }
  if (rule.kind == RuleKind::kComputed) return *computed;
  std::uint64_t word = 0;
  origins_[number] = {Origin::Kind::kStack, *computed};
  is_cut = !read_(*computed, std::as_writable_bytes(std::span(&word, 1)));
  return is_cut ? std::nullopt : std::optional(word);
}

bool Walk::go_out(const Frame& frame) {
  if (row_.registers[kPc].kind == RuleKind::kUndefined) return end(Ending::kOutermost, {});
  bool is_cut = false;
  for (std::size_t i = 0; i < next_.size(); ++i) {
    next_[i] = recover(row_.registers[i], i, frame, is_cut);
    is_any_cut_ |= is_cut;
  }
  guided_by(origins_[kPc]);
  guided_by(origins_[kRsp]);
  if (!next_[kPc])
    return end_lacking(is_cut ? Lacking::kMemory : Lacking::kRegister, "the next return address");
  if (*next_[kPc] == 0) {
    if (next_[kRbp] == 0) return end(Ending::kOutermost, {});
    return end(Ending::kUnreliable, "The next return address is null.");
  }
  if (!next_[kRsp]) return end_lacking(Lacking::kRegister, "the next frame");
  is_exact_ = frame.kind == FrameKind::kSignal;
  return true;
}

}  // namespace

ReadMemory memory_of(const CapturedStack& captured) {
  return [begin = captured.stack_begin.value, bytes = captured.bytes](std::uint64_t from,
                                                                      std::span<std::byte> to) {
    if (from < begin || from - begin > bytes.size() || bytes.size() - (from - begin) < to.size())
      return false;
    std::memcpy(to.data(), bytes.data() + (from - begin), to.size());
    return true;
  };
}

Result<Unwound> unwind(const CapturedStack& captured, const UnwindImages& images,
                       const UnwindOptions& options) {
  if (!captured.registers[kPc] || !captured.registers[kRsp])
    return fail(ErrorCode::kUsage, "no-registers",
                "The captured registers lack the stack pointer or the pc.");
  return Walk(captured, images)
      .run(captured.registers, std::max<std::size_t>(options.max_frames, 1));
}

const char* name_of(Ending ending) {
  switch (ending) {
    case Ending::kOutermost:
      return "outermost";
    case Ending::kStackCut:
      return "stack-cut";
    case Ending::kNoInformation:
      return "no-information";
    case Ending::kUnreliable:
      return "unreliable";
    case Ending::kFrameLimit:
      return "frame-limit";
  }
  return "unknown";
}

}  // namespace nohalt::stacks
