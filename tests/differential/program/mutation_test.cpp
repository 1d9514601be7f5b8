// Broken programs and broken machine code. A program that breaks a rule in an
// execution must not pass the verifier; machine code that passes the check must
// keep its bounds when it runs.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <iostream>
#include <map>
#include <random>

#include "probes/engines/inline/translate/machine_check.h"
#include "probes/engines/inline/translate/machine_code.h"
#include "probes/engines/inline/translate/translate.h"
#include "probes/program/listing.h"
#include "probes/program/opcode.h"
#include "tests/differential/program/generator.h"
#include "tests/differential/program/machine.h"
#include "tests/differential/program/sandbox.h"
#include "tests/differential/program/scale.h"

namespace nohalt::program_test {
namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

void mutate_one(program::Program& program, Random& random) {
  std::vector<program::Instruction>& code = program.code;
  program::Instruction& i = code[below(random, code.size())];
  switch (below(random, 10)) {
    case 0:
    case 1: {  // any bit
      const auto bits = std::bit_cast<std::uint64_t>(i) ^ std::uint64_t{1} << below(random, 64);
      i = std::bit_cast<program::Instruction>(bits);
      return;
    }
    case 2:
      i.dst = static_cast<std::uint8_t>(below(random, 11)) & 0x0f;
      return;
    case 3:
      i.src = static_cast<std::uint8_t>(below(random, 11)) & 0x0f;
      return;
    case 4:
      i.imm += static_cast<std::int32_t>(below(random, 65)) - 32;
      return;
    case 5:
      i.offset = static_cast<std::int16_t>(i.offset + static_cast<int>(below(random, 65)) - 32);
      return;
    case 6:
      i.imm = static_cast<std::int32_t>(below(random, 12));
      return;
    case 7:
      i.opcode = code[below(random, code.size())].opcode;
      return;
    case 8:
      i = code[below(random, code.size())];
      return;
    default:
      if (program.record_size > 1) program.record_size -= 1;
      return;
  }
}

TEST(Mutation, EveryProgramThatBreaksARuleWhenRunIsRejected) {
  const std::uint64_t count = rounds(30000);
  const std::uint64_t first = first_seed();
  Machine machine;
  std::uint64_t broken = 0;
  std::uint64_t accepted = 0;
  std::map<std::string_view, std::uint64_t> by_rule;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    program::Program program = generate(first + below(random, 500));
    for (std::size_t left = 1 + below(random, 3); left > 0; --left) mutate_one(program, random);
    const auto verified = program::verify(program);
    accepted += verified ? 1 : 0;
    bool breaks = false;
    for (std::uint64_t world = 0; world < 4 && !breaks; ++world) {
      Model model(seed * 4 + world, program.record_size);
      ModelEnvironment environment(model);
      const program::Execution execution = program::interpret(program, environment);
      if (!execution.violation) continue;
      breaks = true;
      ++by_rule[program::name(execution.violation->rule)];
      ASSERT_FALSE(verified) << "seed " << seed << ": " << program::name(execution.violation->rule)
                             << " at " << execution.violation->instruction << "\n"
                             << program::list(program);
    }
    broken += breaks ? 1 : 0;
    if (verified) {
      const auto body = inline_translate::translate(program, machine.surroundings());
      ASSERT_TRUE(body) << "seed " << seed << ": " << body.error().message << "\n"
                        << program::list(program);
    }
  }
  std::cout << count << " mutants from seed " << first << ": " << broken
            << " broke a rule when run, " << accepted << " accepted\n";
  for (const auto& [rule, times] : by_rule) std::cout << "  " << rule << ": " << times << "\n";
  EXPECT_GT(broken, count / 10);
  EXPECT_GT(accepted, count / 100);
}

void mutate_code(std::vector<std::byte>& code, const std::vector<std::uint32_t>& starts,
                 Random& random) {
  const auto at = below(random, code.size());
  switch (below(random, 6)) {
    case 0:
    case 1:
      code[at] ^= static_cast<std::byte>(1U << below(random, 8));
      return;
    case 2:
      code[at] = static_cast<std::byte>(random() & 0xff);
      return;
    case 3:  // a neighbouring value: offsets, sizes, limits
      code[at] = static_cast<std::byte>(std::to_integer<int>(code[at]) +
                                        static_cast<int>(below(random, 17)) - 8);
      return;
    case 4: {  // the last byte of an instruction, where short immediates are
      const std::uint32_t end = starts[below(random, starts.size())];
      if (end > 0) code[end - 1] ^= static_cast<std::byte>(1U << below(random, 8));
      return;
    }
    default: {  // an instruction over another of the same length
      const std::size_t from = below(random, starts.size() - 1);
      const std::size_t to = below(random, starts.size() - 1);
      const std::uint32_t size = starts[from + 1] - starts[from];
      if (size == starts[to + 1] - starts[to])
        std::memmove(&code[starts[to]], &code[starts[from]], size);
      return;
    }
  }
}

TEST(Mutation, MachineCodeThatPassesTheCheckKeepsItsBounds) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.ready());
  const inline_translate::Surroundings surroundings = sandbox.surroundings();
  const std::uint64_t count = rounds(8000);
  const std::uint64_t first = first_seed();
  std::uint64_t accepted = 0;
  std::uint64_t unchanged = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    const program::Program program = generate(first + below(random, 500));
    const auto verified = program::verify(program);
    ASSERT_TRUE(verified);
    const auto body = inline_translate::translate(program, surroundings);
    ASSERT_TRUE(body) << body.error().message;
    const auto decoded = inline_translate::decode(body->code, surroundings.load_address);
    ASSERT_TRUE(decoded);
    std::vector<std::uint32_t> starts;
    for (const auto& i : *decoded) starts.push_back(i.offset);
    starts.push_back(static_cast<std::uint32_t>(body->code.size()));

    std::vector<std::byte> code = body->code;
    for (std::size_t left = 1 + below(random, 2); left > 0; --left)
      mutate_code(code, starts, random);
    if (code == body->code) {
      ++unchanged;
      continue;
    }
    const inline_translate::BodyLimits limits{program.record_size, program.needs_xmm,
                                              body->is_admitted};
    if (!inline_translate::check_body(code, limits, surroundings)) continue;
    ++accepted;
    const std::string wrong = sandbox.run(code, limits, seed);
    ASSERT_EQ(wrong, "") << "seed " << seed << "\n" << program::list(program);
  }
  std::cout << count - unchanged << " mutants from seed " << first << ": " << accepted
            << " accepted and run, the others rejected\n";
  EXPECT_GT(accepted, count / 50);
}

TEST(Mutation, TheSandboxSeesWhatItIsFor) {
  Sandbox sandbox;
  ASSERT_TRUE(sandbox.ready());
  const auto run = [&](std::initializer_list<int> bytes) {
    std::vector<std::byte> code;
    for (const int byte : bytes) code.push_back(static_cast<std::byte>(byte));
    return sandbox.run(code, {.record_size = 16}, 1);
  };
  EXPECT_EQ(run({0x31, 0xc0, 0xc3}), "");                                // xor eax, eax; ret
  EXPECT_NE(run({0x48, 0x89, 0x07, 0xc3}), "");                          // mov [rdi], rax
  EXPECT_NE(run({0x48, 0x89, 0x44, 0x24, 0x08, 0xc3}), "");              // mov [rsp + 8], rax
  EXPECT_NE(run({0x48, 0x8b, 0x87, 0x00, 0x02, 0x00, 0x00, 0xc3}), "");  // mov rax, [rdi + 512]
  EXPECT_NE(run({0x31, 0xdb, 0xc3}), "");                                // xor ebx, ebx; ret
  EXPECT_NE(run({0x0f, 0x0b}), "");                                      // ud2
}

}  // namespace
}  // namespace nohalt::program_test
