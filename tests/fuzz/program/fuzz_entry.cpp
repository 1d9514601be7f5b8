// A program that passes the verifier must break no rule when interpreted, cost
// no more than was said, translate, and do the same as machine code.
#include "tests/fuzz/program/fuzz_entry.h"

#include <cstring>

#include "probes/engines/inline/translate/translate.h"
#include "probes/program/interpreter.h"
#include "probes/program/listing.h"
#include "probes/program/verifier.h"
#include "tests/differential/program/machine.h"
#include "tests/differential/program/model.h"

namespace nohalt::program_test {
namespace {

constexpr std::size_t kHeader = 4;

program::Program from_bytes(std::span<const std::byte> bytes) {
  program::Program program;
  program.record_size =
      std::to_integer<std::uint32_t>(bytes[0]) | std::to_integer<std::uint32_t>(bytes[1]) << 8;
  program.needs_xmm = (bytes[2] & std::byte{1}) != std::byte{0};
  const std::span<const std::byte> slots = bytes.subspan(kHeader);
  program.code.resize(slots.size() / sizeof(program::Instruction));
  if (!program.code.empty())
    std::memcpy(static_cast<void*>(program.code.data()), slots.data(),
                program.code.size() * sizeof(program::Instruction));
  return program;
}

bool within(const program::Cost& cost, const program::Cost& worst) {
  return cost.instructions <= worst.instructions && cost.bytes_read <= worst.bytes_read &&
         cost.bytes_written <= worst.bytes_written && cost.user_reads <= worst.user_reads &&
         cost.frame_reads <= worst.frame_reads;
}

std::string check_execution(const program::Program& program, const program::Cost& worst,
                            const inline_translate::TranslatedBody& body, Machine& machine,
                            std::uint64_t seed) {
  Model interpreted(seed, program.record_size);
  Model translated(seed, program.record_size);
  ModelEnvironment environment(interpreted);
  const program::Execution execution = program::interpret(program, environment);
  if (execution.violation)
    return "verified, but breaks " + std::string(program::name(execution.violation->rule));
  if (!within(execution.cost, worst)) return "costs more than the worst case";
  if (machine.run(body, translated) != execution.result) return "another outcome as machine code";
  if (translated.calls() != interpreted.calls()) return "other calls as machine code";
  if (translated.committed() != interpreted.committed()) return "another record as machine code";
  return {};
}

}  // namespace

std::vector<std::byte> to_bytes(const program::Program& program) {
  std::vector<std::byte> bytes(kHeader + program.code.size() * sizeof(program::Instruction));
  bytes[0] = static_cast<std::byte>(program.record_size & 0xff);
  bytes[1] = static_cast<std::byte>(program.record_size >> 8 & 0xff);
  bytes[2] = static_cast<std::byte>(program.needs_xmm ? 1 : 0);
  if (!program.code.empty())
    std::memcpy(bytes.data() + kHeader, program.code.data(), bytes.size() - kHeader);
  return bytes;
}

std::string fuzz_one(std::span<const std::byte> bytes) {
  static Machine machine;
  if (bytes.size() < kHeader) return {};
  const program::Program program = from_bytes(bytes);
  const std::uint64_t seed = std::to_integer<std::uint64_t>(bytes[3]);
  const auto verified = program::verify(program);
  std::string wrong;
  if (!verified) {
    // Still a program to list, and to interpret until it breaks a rule or ends.
    Model model(seed, program.record_size);
    ModelEnvironment environment(model);
    static_cast<void>(program::interpret(program, environment));
    static_cast<void>(program::list(program));
    return {};
  }
  const auto body = inline_translate::translate(program, machine.surroundings());
  if (!body) wrong = "verified, but: " + body.error().message;
  for (std::uint64_t world = 0; world < 3 && wrong.empty(); ++world)
    wrong = check_execution(program, verified->cost, *body, machine, seed * 4 + world);
  return wrong.empty() ? wrong : wrong + "\n" + program::list(program);
}

}  // namespace nohalt::program_test
