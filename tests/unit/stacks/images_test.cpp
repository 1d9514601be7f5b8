// Which file an address of a process is looked up in.
#include "probes/stacks/images.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "tests/unit/stacks/made_stack.h"

namespace nohalt::stacks {
namespace {

TEST(Images, NameAnAddressAsItsFileDoes) {
  const UnwindImages images = made_images();
  const auto place = images.find(at("inner_pc"));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->address.value + kBias, at("inner_pc").value);
  EXPECT_EQ(place->bias.value, kBias);
  EXPECT_FALSE(images.find({kBias + kText - 1}));
  EXPECT_FALSE(images.find({kBias + kText + kPageSize}));
}

TEST(Images, DoNotUseAFileThatIsNotTheOneMapped) {
  target::Mapping text = text_of(made_program());
  text.file.inode += 1;
  const UnwindImages images(target::Maps({text}), {});
  EXPECT_FALSE(images.find(at("inner_pc")));
  EXPECT_TRUE(images.is_code(at("inner_pc")));
}

TEST(Images, LookAPageThatAProbeSwappedUpInTheFileAroundIt) {
  const target::Mapping whole = text_of(made_program());
  target::Mapping before = whole;
  before.range = {whole.range.begin - kPageSize, whole.range.begin};
  before.offset = 0;
  target::Mapping page = whole;
  page.path = "/memfd:nohalt-page";
  page.file.inode = 1;
  page.offset = 0;
  const UnwindImages images(target::Maps({before, page}), {});
  const auto place = images.find(at("inner_pc"));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->address.value + kBias, at("inner_pc").value);
}

TEST(Images, KnowWhatFilesHoldThatNobodyWritesTo) {
  static const char kNever[] = "nobody writes here";
  static char sometimes[] = "somebody does";
  const auto maps = target::read_maps(::getpid());
  ASSERT_TRUE(maps.has_value());
  const UnwindImages images(*maps, {.process_folder = "/proc/self"});
  const auto text_at = [&](const char* at, std::size_t size) {
    const auto bytes = images.constants({reinterpret_cast<std::uintptr_t>(at)}, size);
    return std::string(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(text_at(kNever, sizeof kNever), std::string(kNever, sizeof kNever));
  EXPECT_EQ(text_at(sometimes, sizeof sometimes), "");
  EXPECT_EQ(text_at(nullptr, 8), "");
}

TEST(Images, KnowTheVdso) {
  const RuntimeAddress vdso{::getauxval(AT_SYSINFO_EHDR)};
  const auto maps = target::read_maps(::getpid());
  ASSERT_TRUE(maps.has_value());
  const UnwindImages images(*maps, {.process_folder = "/proc/self"});
  std::size_t covered = 0;
  for (std::uint64_t i = 0; i < 2 * kPageSize; ++i) {
    const auto place = images.find(vdso + i);
    covered += place && images.table(*place).row_at(place->address);
  }
  EXPECT_GT(covered, 100);
}

TEST(Images, KnowTheProcessesOwnProgramAndLibraries) {
  const auto maps = target::read_maps(::getpid());
  ASSERT_TRUE(maps.has_value());
  const UnwindImages images(*maps, {.process_folder = "/proc/self"});
  for (const void* code : {reinterpret_cast<const void*>(&made_program),
                           reinterpret_cast<const void*>(&::getauxval)}) {
    const auto place = images.find({reinterpret_cast<std::uintptr_t>(code)});
    ASSERT_TRUE(place);
    EXPECT_TRUE(images.table(*place).row_at(place->address));
    EXPECT_FALSE(images.table(*place).function_at(place->address).empty());
  }
}

}  // namespace
}  // namespace nohalt::stacks
