#include "probes/target/maps.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace nohalt::target {
namespace {

constexpr char kText[] =
    "55d0c0000000-55d0c0001000 r-xp 00002000 fe:01 1234                       /opt/a b\\012c\n"
    "55d0c0001000-55d0c0002000 ---p 00000000 00:00 0 \n"
    "7f0000000000-7f0000001000 rw-s 00001000 00:01 77                         /memfd:x (deleted)\n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n";

TEST(Maps, KeepsEveryFieldOfALine) {
  const auto maps = parse_maps(kText);
  ASSERT_TRUE(maps);
  ASSERT_EQ(maps->all().size(), 4U);
  const Mapping& code = maps->all()[0];
  EXPECT_EQ(code.range, (RuntimeRange{{0x55d0c0000000}, {0x55d0c0001000}}));
  EXPECT_TRUE(code.readable && code.executable && !code.writable && !code.shared);
  EXPECT_EQ(code.offset, 0x2000U);
  EXPECT_EQ(code.file, (FileId{0xfe, 1, 1234}));
  EXPECT_EQ(code.path, "/opt/a b\nc");
  EXPECT_TRUE(maps->all()[2].deleted && maps->all()[2].shared);
  EXPECT_EQ(maps->all()[2].path, "/memfd:x");
  EXPECT_TRUE(maps->all()[3].anonymous());
}

TEST(Maps, FindsWhatHoldsAnAddressAndNothingElse) {
  const auto maps = parse_maps(kText);
  ASSERT_TRUE(maps);
  EXPECT_EQ(maps->find({0x55d0c0000fff}), maps->all().data());
  EXPECT_EQ(maps->find({0x55d0c0001000}), &maps->all()[1]);
  EXPECT_EQ(maps->find({0x55d0c0002000}), nullptr);
  EXPECT_EQ(maps->find({0x1000}), nullptr);
  EXPECT_TRUE(maps->overlaps({{0x55d0c0001fff}, {0x55d0c0003000}}));
  EXPECT_FALSE(maps->overlaps({{0x55d0c0002000}, {0x7f0000000000}}));
}

TEST(Maps, RefusesLinesThatMakeNoSense) {
  for (const char* line : {"", "x", "10-5 r-xp 0 0:0 0\n", "1000-2000 r-xp\n", "1000-2000\n"})
    EXPECT_EQ(parse_maps(line).has_value(), std::string_view(line).empty()) << line;
}

TEST(Maps, ReadsTheFactsOfTheMappingAskedForOnly) {
  const std::string smaps =
      "1000-2000 r-xp 00000000 00:00 0 \nPrivate_Dirty:        4 kB\nVmFlags: rd ex \n"
      "2000-3000 r-xp 00000000 00:00 0 \nAnonymous:         8 kB\nFilePmdMapped:  2048 kB\n"
      "VmFlags: rd ex lo sl \n";
  const auto facts = parse_mapping_facts(smaps, {0x2000});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->private_dirty, 0U);
  EXPECT_EQ(facts->anonymous, 8192U);
  EXPECT_EQ(facts->huge, 2048U * 1024);
  EXPECT_TRUE(facts->has_flag("lo") && facts->has_flag("sl") && !facts->has_flag("l"));
  EXPECT_EQ(parse_mapping_facts(smaps, {0x1800}).error().reason, "no-such-mapping");
}

TEST(Maps, ReadsFactsOfEveryMappingOfALiveProcess) {
  const auto maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  for (const auto& mapping : maps->all()) {
    if (!mapping.executable || mapping.anonymous()) continue;
    EXPECT_TRUE(read_mapping_facts(::getpid(), mapping.range.begin)) << mapping.path;
  }
}

}  // namespace
}  // namespace nohalt::target
