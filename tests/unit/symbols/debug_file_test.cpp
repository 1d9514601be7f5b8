// Finding and refusing debug files.
#include <gtest/gtest.h>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource =
    "int work(int n) { return n; }\nint main(void) { return work(1); }\n";

// A stripped program in a folder of its own, and its debug file beside it.
std::string stripped(const std::string& name, const std::string& link_id) {
  const std::string folder = scratch_folder() + "/" + name;
  EXPECT_TRUE(shell("rm -rf " + folder + " && mkdir -p " + folder + " && cd " + folder + " && cp " +
                    compiled("s.c", kSource, {.compiler = "gcc", .flags = "-g -Wl," + link_id}) +
                    " full && objcopy --only-keep-debug full program.debug"
                    " && objcopy --strip-debug full program"));
  return folder;
}

std::string open_reason(const std::string& path, const OpenOptions& options = {}) {
  const auto info = DebugInfo::open(path, "program", options);
  return info ? "opened" : info.error().reason;
}

TEST(DebugFile, a_stripped_program_names_the_file_and_build_id_to_supply) {
  const std::string folder = stripped("bare", "--build-id=sha1");
  const auto info = DebugInfo::open(folder + "/program", "the-program", {});
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().reason, "no-debug-info");
  EXPECT_NE(info.error().message.find("the-program"), std::string::npos);
  EXPECT_NE(info.error().message.find("build id"), std::string::npos);
}

TEST(DebugFile, a_debug_file_is_found_by_build_id) {
  const std::string folder = stripped("by-id", "--build-id=0x1122334455667788");
  ASSERT_TRUE(shell("mkdir -p " + folder + "/dbg/.build-id/11 && mv " + folder + "/program.debug " +
                    folder + "/dbg/.build-id/11/22334455667788.debug"));
  const auto info = DebugInfo::open(folder + "/program", "program", {{folder + "/dbg"}});
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ((*info)->build_id(), "1122334455667788");
  EXPECT_TRUE((*info)->debug_file().ends_with("22334455667788.debug"));
  EXPECT_TRUE((*info)->resolve("work").has_value());
}

TEST(DebugFile, a_debug_link_is_followed_only_where_the_crc_agrees) {
  const std::string folder = stripped("by-link", "--build-id=none");
  ASSERT_TRUE(shell("cd " + folder + " && objcopy --add-gnu-debuglink=program.debug program"));
  EXPECT_EQ(open_reason(folder + "/program"), "opened");
  ASSERT_TRUE(shell("cd " + folder + " && printf x >> program.debug"));
  EXPECT_EQ(open_reason(folder + "/program"), "build-id-mismatch");
}

TEST(DebugFile, the_debug_file_of_another_build_is_refused) {
  const std::string folder = stripped("other", "--build-id=0xaabbccdd");
  const std::string other = stripped("other2", "--build-id=0x99887766");
  ASSERT_TRUE(shell("mkdir -p " + folder + "/dbg/.build-id/aa && cp " + other + "/program.debug " +
                    folder + "/dbg/.build-id/aa/bbccdd.debug"));
  EXPECT_EQ(open_reason(folder + "/program", {{folder + "/dbg"}}), "build-id-mismatch");
}

TEST(DebugFile, what_is_no_program_is_refused_by_name) {
  const std::string text = scratch_folder() + "/text";
  ASSERT_TRUE(shell("echo hello > " + text));
  EXPECT_EQ(open_reason(text), "not-elf");
  ASSERT_TRUE(shell("echo '.globl _start; _start: ret' > " + text + ".s && as --32 -o " + text +
                    ".o " + text + ".s && ld -m elf_i386 -o " + text + "32 " + text + ".o"));
  EXPECT_EQ(open_reason(text + "32"), "wrong-architecture");
}

TEST(DebugFile, bytes_are_read_from_segments_only) {
  const auto info = opened("s.c", kSource, {});
  const LinkRange code = sites_of(*info, "main").front().function_range;
  EXPECT_TRUE(info->read_bytes(code.begin, 16).has_value());
  constexpr LinkAddress kNowhere{1ULL << 40};
  EXPECT_FALSE(info->read_bytes(kNowhere, 1).has_value());
  const LinkAddress data_end = info->writable_segments().back().end;
  EXPECT_FALSE(info->read_bytes({data_end.value - 4}, 8).has_value());
  EXPECT_TRUE(info->is_position_independent());
}

}  // namespace
}  // namespace nohalt::symbols
