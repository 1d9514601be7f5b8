// Generated programs do the same in the interpreter and as machine code: the
// outcome, the record, and every helper call with its arguments, in order.
#include <gtest/gtest.h>

#include <iostream>

#include "probes/engines/inline/translate/translate.h"
#include "probes/program/listing.h"
#include "tests/differential/program/generator.h"
#include "tests/differential/program/machine.h"
#include "tests/differential/program/scale.h"

namespace nohalt::program_test {
namespace {

// How much of the hit's surroundings the translator may take for granted.
inline_translate::Surroundings surroundings_for(const Machine& machine, std::uint64_t seed) {
  inline_translate::Surroundings result = machine.surroundings();
  const TargetMemory& memory = TargetMemory::get();
  const auto data = reinterpret_cast<std::uint64_t>(memory.data);
  if (seed % 2 != 0) result.static_ranges.push_back({data, data + TargetMemory::kStaticBytes});
  return result;
}

void compare_executions(const program::Program& program,
                        const inline_translate::TranslatedBody& body, Machine& machine,
                        std::uint64_t seed) {
  const program::Cost& worst = body.cost;
  Model interpreted(seed, program.record_size);
  Model translated(seed, program.record_size);
  ModelEnvironment environment(interpreted);
  const program::Execution expected = program::interpret(program, environment);
  ASSERT_FALSE(expected.violation)
      << program::name(expected.violation->rule) << " at " << expected.violation->instruction;
  EXPECT_LE(expected.cost.instructions, worst.instructions);
  EXPECT_LE(expected.cost.bytes_read, worst.bytes_read);
  EXPECT_LE(expected.cost.bytes_written, worst.bytes_written);
  EXPECT_LE(expected.cost.user_reads, worst.user_reads);
  EXPECT_LE(expected.cost.frame_reads, worst.frame_reads);

  const std::uint64_t outcome = machine.run(body, translated);
  EXPECT_EQ(outcome, expected.result);
  EXPECT_EQ(translated.calls(), interpreted.calls()) << to_text(translated.calls()) << "\n"
                                                     << to_text(interpreted.calls());
  EXPECT_TRUE(translated.committed() == interpreted.committed());
  EXPECT_TRUE(machine.registers_kept());
}

TEST(Differential, GeneratedProgramsDoTheSameInterpretedAndTranslated) {
  Machine machine;
  const std::uint64_t count = rounds(4000);
  const std::uint64_t first = first_seed();
  std::uint64_t executions = 0;
  std::uint64_t admitted = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const program::Program program = generate(seed);
    const auto body = inline_translate::translate(program, surroundings_for(machine, seed));
    ASSERT_TRUE(body) << "seed " << seed << ": " << body.error().message << "\n"
                      << program::list(program);
    admitted += body->is_admitted ? 1 : 0;
    for (std::uint64_t world = 0; world < 8; ++world, ++executions)
      compare_executions(program, *body, machine, seed * 16 + world);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << "\n" << program::list(program);
  }
  std::cout << count << " programs (" << admitted << " for admitted hits) from seed " << first
            << ", " << executions << " executions\n";
  EXPECT_GT(admitted, count / 50);
}

}  // namespace
}  // namespace nohalt::program_test
