// A direct reading of RFC 9669, one slot at a time. Pointers are a region and
// an offset, never a number, so a bound is a comparison and a pointer that
// passes for a number is seen.
#include "probes/program/interpreter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "probes/program/arithmetic.h"
#include "probes/program/opcode.h"

namespace nohalt::program {
namespace {

enum class Region : std::uint8_t { kNothing, kNumber, kContext, kStack, kRecord };

struct Value {
  Region region = Region::kNothing;
  std::uint64_t bits = 0;  // the number, or the offset from the region's start

  [[nodiscard]] bool is_pointer() const { return region > Region::kNumber; }
};

Value number(std::uint64_t bits) { return {Region::kNumber, bits}; }

constexpr std::uint64_t kStackSize = runtime::kMaxProgramStack;

using Broken = std::optional<Rule>;

class Interpreter {
 public:
  Interpreter(const Program& program, Environment& environment)
      : program_(program), environment_(environment) {
    registers_[1] = {Region::kContext, 0};
    registers_[10] = {Region::kStack, kStackSize};
  }
  Execution run();

 private:
  Broken step(const Instruction& i);
  Broken alu(const Instruction& i);
  Broken load(const Instruction& i);
  Broken store(const Instruction& i);
  Broken jump(const Instruction& i);
  Broken call(std::int32_t helper_number);
  Broken call_read(const HelperSignature& helper);
  Broken call_release(bool commits);
  Broken call_gate(const HelperSignature& helper);
  Broken exit();
  Broken writable(const Value& base, std::uint64_t offset, std::uint64_t size,
                  std::span<std::byte>& bytes);

  Broken read_register(unsigned index, Value& value) const {
    if (index >= kRegisterCount) return Rule::kNoSuchRegister;
    value = registers_[index];
    if (value.region == Region::kNothing) return Rule::kRegisterUninitialised;
    return std::nullopt;
  }
  Broken write_register(unsigned index, const Value& value) {
    if (index >= kRegisterCount) return Rule::kNoSuchRegister;
    if (index == 10) return Rule::kFramePointerWritten;
    registers_[index] = value;
    return std::nullopt;
  }
  Broken source_of(const Instruction& i, Value& value) const {
    if (source_is_register(i)) return read_register(i.src, value);
    value = number(sign_extended(i.imm));
    return std::nullopt;
  }

  const Program& program_;
  Environment& environment_;
  std::array<Value, kRegisterCount> registers_{};
  std::array<std::byte, kStackSize> stack_{};
  std::array<bool, kStackSize> stack_written_{};
  std::span<std::byte> record_;
  bool token_taken_ = false;
  bool token_granted_ = false;
  bool reserved_ = false;
  std::size_t next_ = 0;
  bool done_ = false;
  Execution execution_;
};

Execution Interpreter::run() {
  while (!done_) {
    const std::size_t at = next_;
    if (at >= program_.code.size()) {
      execution_.violation = Violation{Rule::kFallsOffTheEnd, at};
      break;
    }
    next_ = at + 1;
    ++execution_.cost.instructions;
    if (const Broken broken = step(program_.code[at])) {
      execution_.violation = Violation{*broken, at};
      break;
    }
  }
  return execution_;
}

Broken Interpreter::step(const Instruction& i) {
  switch (class_of(i)) {
    case InstructionClass::kLoadImmediate: {
      if (i.opcode != kOpcodeLoadImmediate64 || i.src != 0) return Rule::kUnknownInstruction;
      if (next_ >= program_.code.size()) return Rule::kFallsOffTheEnd;
      return write_register(i.dst, number(wide_immediate(i, program_.code[next_++])));
    }
    case InstructionClass::kLoad:
      return load(i);
    case InstructionClass::kStoreImmediate:
    case InstructionClass::kStore:
      return store(i);
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64:
      return alu(i);
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      break;
  }
  return jump(i);
}

Broken Interpreter::alu(const Instruction& i) {
  const AluOp op = alu_op_of(i);
  const Width width = class_of(i) == InstructionClass::kAlu64 ? Width::k64 : Width::k32;
  Value source;
  Value dst = number(0);
  if (const Broken broken = source_of(i, source)) return broken;
  if (op != AluOp::kMove)
    if (const Broken broken = read_register(i.dst, dst)) return broken;
  if (!source.is_pointer() && !dst.is_pointer()) {
    const auto value = evaluate_alu(op, width, dst.bits, source.bits);
    if (!value || i.offset != 0) return Rule::kUnknownInstruction;
    return write_register(i.dst, number(*value));
  }
  if (width != Width::k64) return Rule::kPointerArithmetic;
  if (op == AluOp::kMove) return write_register(i.dst, source);
  if (source.is_pointer()) return Rule::kPointerArithmetic;
  if (op == AluOp::kAdd) return write_register(i.dst, {dst.region, dst.bits + source.bits});
  if (op == AluOp::kSub) return write_register(i.dst, {dst.region, dst.bits - source.bits});
  return Rule::kPointerArithmetic;
}

Broken Interpreter::load(const Instruction& i) {
  if ((i.opcode & 0xe0) != kModeMemory) return Rule::kUnknownInstruction;
  Value base;
  if (const Broken broken = read_register(i.src, base)) return broken;
  const std::uint64_t size = access_size_of(i);
  const std::uint64_t offset = base.bits + static_cast<std::uint64_t>(std::int64_t{i.offset});
  const std::byte* from = nullptr;
  if (base.region == Region::kContext) {
    const std::span<const std::byte> context = environment_.context();
    const bool general = runtime::is_saved_register(offset);
    const bool vector = program_.needs_xmm && offset >= offsetof(runtime::HitContext, xmm) &&
                        offset <= sizeof(runtime::HitContext) - 8;
    if (size != 8 || offset % 8 != 0 || (!general && !vector) || offset + size > context.size())
      return Rule::kContextOutOfBounds;
    from = context.data() + offset;
  } else if (base.region == Region::kStack) {
    if (offset > kStackSize || size > kStackSize - offset) return Rule::kStackOutOfBounds;
    for (std::uint64_t byte = offset; byte < offset + size; ++byte)
      if (!stack_written_[byte]) return Rule::kStackUninitialised;
    from = stack_.data() + offset;
  } else {
    return base.region == Region::kRecord ? Rule::kRecordRead : Rule::kNotAPointer;
  }
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return write_register(i.dst, number(value));
}

// Where `size` bytes from base + offset are, if they may be written.
Broken Interpreter::writable(const Value& base, std::uint64_t offset, std::uint64_t size,
                             std::span<std::byte>& bytes) {
  std::span<std::byte> region;
  Rule outside = Rule::kStackOutOfBounds;
  switch (base.region) {
    case Region::kStack:
      region = stack_;
      break;
    case Region::kRecord:
      region = record_;
      outside = Rule::kRecordOutOfBounds;
      break;
    case Region::kContext:
      return Rule::kContextWritten;
    case Region::kNothing:
    case Region::kNumber:
      return Rule::kNotAPointer;
  }
  if (offset > region.size() || size > region.size() - offset) return outside;
  bytes = region.subspan(offset, size);
  execution_.cost.bytes_written += static_cast<std::uint32_t>(size);
  return std::nullopt;
}

Broken Interpreter::store(const Instruction& i) {
  if ((i.opcode & 0xe0) != kModeMemory) return Rule::kUnknownInstruction;
  Value base;
  Value value = number(sign_extended(i.imm));
  if (const Broken broken = read_register(i.dst, base)) return broken;
  if (class_of(i) == InstructionClass::kStore)
    if (const Broken broken = read_register(i.src, value)) return broken;
  if (value.is_pointer()) return Rule::kPointerStored;
  const std::uint64_t offset = base.bits + static_cast<std::uint64_t>(std::int64_t{i.offset});
  std::span<std::byte> bytes;
  if (const Broken broken = writable(base, offset, access_size_of(i), bytes)) return broken;
  std::memcpy(bytes.data(), &value.bits, bytes.size());
  if (base.region == Region::kStack)
    std::fill_n(stack_written_.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), true);
  return std::nullopt;
}

Broken Interpreter::jump(const Instruction& i) {
  if (i.opcode == kOpcodeExit) return exit();
  if (i.opcode == kOpcodeCall) return call(i.imm);
  bool taken = i.opcode == kOpcodeJumpAlways;
  if (!taken) {
    Value left;
    Value right;
    if (const Broken broken = read_register(i.dst, left)) return broken;
    if (const Broken broken = source_of(i, right)) return broken;
    const JumpOp op = jump_op_of(i);
    if (left.is_pointer() || right.is_pointer()) {
      // Only the record has a use for this: it is there, so it is not zero.
      const bool null_check = left.region == Region::kRecord && !right.is_pointer() &&
                              right.bits == 0 && class_of(i) == InstructionClass::kJump64 &&
                              (op == JumpOp::kEqual || op == JumpOp::kNotEqual);
      if (!null_check) return Rule::kPointerCompared;
      taken = op == JumpOp::kNotEqual;
    } else {
      const Width width = class_of(i) == InstructionClass::kJump64 ? Width::k64 : Width::k32;
      const std::optional<bool> holds = evaluate_jump(op, width, left.bits, right.bits);
      if (!holds) return Rule::kUnknownInstruction;
      taken = *holds;
    }
  }
  if (!taken) return std::nullopt;
  if (i.offset < 0) return Rule::kJumpBackward;
  next_ += static_cast<std::size_t>(i.offset);
  return std::nullopt;
}

Broken Interpreter::call(std::int32_t helper_number) {
  const HelperSignature* helper = find_helper(helper_number);
  if (helper == nullptr) return Rule::kUnknownHelper;
  Broken broken;
  if (helper->writes_memory)
    broken = call_read(*helper);
  else if (helper->takes_body)
    broken = call_release(helper->helper == Helper::kCommit);
  else
    broken = call_gate(*helper);
  if (broken) return broken;
  for (unsigned argument = 1; argument <= 5; ++argument) registers_[argument] = {};
  return std::nullopt;
}

Broken Interpreter::call_gate(const HelperSignature& helper) {
  if (helper.helper == Helper::kThreadPointer) {
    registers_[0] = number(environment_.thread_pointer());
    return std::nullopt;
  }
  if (helper.gives_token) {
    Value frame;
    if (helper.takes_frame) {
      if (const Broken broken = read_register(1, frame)) return broken;
      if (frame.is_pointer()) return Rule::kPointerAsNumber;
    }
    if (token_taken_) return Rule::kTokenTwice;
    token_taken_ = true;
    token_granted_ = helper.takes_frame ? environment_.take_call_token(helper.helper, frame.bits)
                                        : environment_.take_token();
    registers_[0] = number(token_granted_ ? 1 : 0);
    return std::nullopt;
  }
  if (reserved_) return Rule::kReserveTwice;
  if (!token_granted_) return Rule::kReserveWithoutToken;
  reserved_ = true;
  record_ = environment_.reserve(program_.record_size);
  registers_[0] = record_.data() != nullptr ? Value{Region::kRecord, 0} : number(0);
  return std::nullopt;
}

Broken Interpreter::call_release(bool commits) {
  const Value& body = registers_[1];
  if (body.region == Region::kNothing) return Rule::kRegisterUninitialised;
  if (body.region != Region::kRecord || body.bits != 0) return Rule::kRecordNotOwned;
  if (commits)
    environment_.commit();
  else
    environment_.abandon();
  record_ = {};
  for (Value& value : registers_)
    if (value.region == Region::kRecord) value = {};
  registers_[0] = number(0);
  return std::nullopt;
}

Broken Interpreter::call_read(const HelperSignature& helper) {
  std::array<Value, 5> arguments{};
  for (unsigned index = 1; index <= (helper.takes_length ? 4U : 3U); ++index) {
    if (const Broken broken = read_register(index, arguments[index])) return broken;
    if (index > 1 && arguments[index].is_pointer()) return Rule::kPointerAsNumber;
  }
  const Value& to = arguments[1];
  const std::uint64_t size = arguments[2].bits;
  if (to.region != Region::kStack && to.region != Region::kRecord) return Rule::kHelperDestination;
  if (!is_size_for(helper.helper, size)) return Rule::kHelperSize;
  std::span<std::byte> bytes;
  if (const Broken broken = writable(to, to.bits, size, bytes)) return broken;
  const std::int64_t result =
      environment_.read(helper.helper, bytes, arguments[3].bits, arguments[4].bits);
  std::uint64_t got = result < 0 ? 0 : size;
  if (helper.helper == Helper::kNextFull) got = 0;
  if (helper.counts_bytes)
    got = result < 0 ? 0 : std::min(size, static_cast<std::uint64_t>(result));
  std::ranges::fill(bytes.subspan(got), std::byte{0});
  if (to.region == Region::kStack)
    std::fill_n(stack_written_.begin() + static_cast<std::ptrdiff_t>(to.bits), size, true);
  Cost& cost = execution_.cost;
  cost.bytes_read += bytes_read_by(helper.helper, size);
  const bool proven = helper.helper == Helper::kReadFrame || helper.helper == Helper::kReadStatic;
  if (proven) ++cost.frame_reads;
  cost.user_reads += system_calls_of(helper.helper, size);
  registers_[0] = number(static_cast<std::uint64_t>(result));
  return std::nullopt;
}

Broken Interpreter::exit() {
  Value result;
  if (const Broken broken = read_register(0, result)) return broken;
  if (result.is_pointer()) return Rule::kPointerAsNumber;
  if (result.bits > static_cast<std::uint64_t>(Outcome::kConditionUnavailable))
    return Rule::kNotAnOutcome;
  if (record_.data() != nullptr) return Rule::kRecordLeft;
  execution_.result = result.bits;
  done_ = true;
  return std::nullopt;
}

}  // namespace

Execution interpret(const Program& program, Environment& environment) {
  return Interpreter(program, environment).run();
}

}  // namespace nohalt::program
