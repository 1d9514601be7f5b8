// What debuggers ask about this very process.
#include "probes/target/debugger_view.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace nohalt::target {
namespace {

std::string text_of(const DebuggerView::Piece& piece) {
  std::string text;
  for (const std::byte byte : piece.bytes) text += static_cast<char>(byte);
  return text;
}

TEST(DebuggerView, TellsWhereTheProgramIsAndNothingElseOfTheAuxiliaryVector) {
  const auto view = debugger_view(::getpid());
  ASSERT_TRUE(view);
  EXPECT_TRUE(std::ranges::any_of(view->auxiliary,
                                  [](const auto& entry) { return entry.first == AT_ENTRY; }));
  for (const auto& [type, value] : view->auxiliary) EXPECT_NE(type, AT_RANDOM);
}

TEST(DebuggerView, NamesTheLibrariesThatTheLoaderKnows) {
  const auto view = debugger_view(::getpid());
  ASSERT_TRUE(view);
  EXPECT_TRUE(std::ranges::any_of(view->memory, [](const DebuggerView::Piece& piece) {
    return text_of(piece).ends_with(std::string("/libc.so.6\0", 11));
  }));
}

TEST(DebuggerView, HasOnlyFilesAsTheyAreOnDisk) {
  const auto view = debugger_view(::getpid());
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->files.empty());
  for (const Mapping& mapping : view->files) {
    EXPECT_FALSE(mapping.writable) << mapping.path;
    EXPECT_FALSE(mapping.anonymous());
  }
  // Read-only now, but written to by the loader.
  static const char* const kRelocated[] = {"one", "two"};
  const RuntimeAddress relocated{reinterpret_cast<std::uint64_t>(&kRelocated)};
  for (const Mapping& mapping : view->files) EXPECT_FALSE(mapping.range.contains(relocated));
}

TEST(DebuggerView, IsAnErrorOfAProcessThatIsNotThere) { EXPECT_FALSE(debugger_view(0x7fff'ffff)); }

}  // namespace
}  // namespace nohalt::target
