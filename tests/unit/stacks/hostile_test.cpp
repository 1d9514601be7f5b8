// A corrupt stack, or a file whose tables are damaged, ends the walk: it does not
// crash, does not go on without end, and reads nothing but what was captured.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "probes/stacks/symbolise.h"
#include "probes/stacks/unwind.h"
#include "src/base/file.h"
#include "tests/unit/stacks/made_stack.h"
#include "tests/unit/symbols/programs.h"

namespace nohalt::stacks {
namespace {

constexpr const char* kLabels[] = {"in_outer",        "in_start",     "behind_outer",
                                   "in_framed",       "in_loses_rbp", "in_restorer",
                                   "in_keeps_vector", "in_bare",      "in_inner"};

TEST(Hostile, EveryStackEndsWithinItsBytes) {
  std::mt19937 random(7);
  const UnwindImages images = made_images();
  std::size_t long_walks = 0;
  for (int round = 0; round < 20'000; ++round) {
    MadeStack stack;
    const std::size_t words = random() % 40;
    for (std::size_t i = 0; i < words; ++i) {
      const unsigned choice = random() % 8;
      if (choice < 6)
        stack.push(kLabels[random() % std::size(kLabels)]);
      else
        stack.push(kStack + (random() % 64) * 8 - 64);
    }
    CapturedStack captured = stack.captured_at("inner_pc");
    captured.registers[kRbp] = kStack + (random() % 16) * 8;
    const Result<Unwound> unwound = unwind(captured, images, {.max_frames = 64});
    ASSERT_TRUE(unwound.has_value());
    ASSERT_LE(unwound->frames.size(), 64);
    long_walks += unwound->frames.size() > 4;
    for (std::size_t i = 1; i < unwound->frames.size(); ++i) {
      const Frame& inner = unwound->frames[i - 1];
      const Frame& outer = unwound->frames[i];
      const bool is_call = inner.kind != FrameKind::kSignal && outer.kind != FrameKind::kSignal;
      if (is_call && outer.cfa) {
        ASSERT_GT(*outer.cfa, *inner.cfa);
      }
    }
  }
  EXPECT_GT(long_walks, 100);
}

// In a child of its own, under an alarm: 0 where it comes to an end.
int walk_in_child(const std::string& program) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(10);
    const UnwindImages images(target::Maps({text_of(program)}), {});
    for (const char* label : kLabels) {
      MadeStack stack;
      for (int i = 0; i < 12; ++i) stack.push(kLabels[i % std::size(kLabels)]);
      const auto unwound = unwind(stack.captured_at(label), images, {.max_frames = 64});
      if (unwound) std::ignore = symbolise(unwound->frames, images);
    }
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Hostile, DamagedTablesEndTheWalk) {
  const auto whole = read_file(made_program());
  ASSERT_TRUE(whole.has_value());
  std::ignore = at("in_outer");  // known before the children are made
  std::mt19937 random(11);
  const std::string path = symbols::scratch_folder() + "/damaged";
  for (int variant = 0; variant < 300; ++variant) {
    std::string damaged = *whole;
    for (unsigned i = 0; i < 1 + random() % 12; ++i) {
      // The tables lie behind the text; the headers before it count too.
      const bool in_header = random() % 8 == 0;
      const std::size_t begin = in_header ? 0 : 2 * kPageSize;
      const std::size_t end = in_header ? 512 : damaged.size();
      damaged[begin + random() % (end - begin)] = static_cast<char>(random());
    }
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << damaged;
    ASSERT_EQ(walk_in_child(path), 0) << "variant " << variant;
  }
}

}  // namespace
}  // namespace nohalt::stacks
