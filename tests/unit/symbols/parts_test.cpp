// Debug information that is in several files: split units (.dwo), and what dwz moved to a
// file that programs share.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kHeader = R"(struct box { int width, height; };
extern volatile int calls;
static inline int square(int v, const struct box *b) {
  int r = v * v + b->width;
  calls += r;
  return r;
}
)";
constexpr const char* kFirst = R"(#include "s.h"
int other(int n, const struct box *b);
__attribute__((noinline)) int work(int n, const struct box *b) {
  return square(n, b) + 1;
}
int main(int argc, char **argv) {
  struct box b = {argc, argv != 0};
  return work(argc, &b) + other(argc, &b);
}
)";
constexpr const char* kSecond = R"(#include "s.h"
volatile int calls;
__attribute__((noinline)) int other(int n, const struct box *b) {
  return square(n + 3, b) * 2;
}
)";

// A folder with the sources, in which the command was run.
std::string made(const std::string& name, const std::string& command) {
  const std::string folder = scratch_folder() + "/" + name;
  EXPECT_TRUE(shell("rm -rf " + folder + " && mkdir -p " + folder));
  std::ofstream(folder + "/s.h") << kHeader;
  std::ofstream(folder + "/a.c") << kFirst;
  std::ofstream(folder + "/b.c") << kSecond;
  EXPECT_TRUE(shell("cd " + folder + " && " + command)) << command;
  return folder;
}

Result<std::unique_ptr<DebugInfo>> open_in(const std::string& folder, const char* program = "p1") {
  return DebugInfo::open(folder + "/" + program, program, {});
}

std::string split(const std::string& name, const std::string& compiler,
                  const std::string& version) {
  return made(name, compiler + " -O2 -gsplit-dwarf -gdwarf-" + version + " -c a.c b.c && " +
                        compiler + " a.o b.o -o p1");
}

class Split : public testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  [[nodiscard]] static std::string folder(const char* name) {
    return split(std::string(name) + GetParam().first + GetParam().second, GetParam().first,
                 GetParam().second);
  }
};

INSTANTIATE_TEST_SUITE_P(Builds, Split,
                         testing::Values(std::pair("gcc", "4"), std::pair("gcc", "5"),
                                         std::pair("clang-19", "4"), std::pair("clang-19", "5")));

TEST_P(Split, whole_units_say_all) {
  const auto info = open_in(folder("whole"));
  ASSERT_TRUE(info.has_value());
  const auto place = (*info)->resolve("square");
  ASSERT_TRUE(place.has_value()) << place.error().message;
  EXPECT_EQ(place->sites.size(), 2U);
  EXPECT_TRUE(place->missing_files.empty());
}

TEST_P(Split, a_function_tells_which_file_is_missing_where_it_may_be_inlined) {
  const std::string at = folder("missing");
  ASSERT_TRUE(shell("rm " + at + "/b.dwo"));
  const auto info = open_in(at);
  ASSERT_TRUE(info.has_value());
  const auto place = (*info)->resolve("square");
  ASSERT_TRUE(place.has_value()) << place.error().message;
  EXPECT_FALSE(place->sites.empty());
  ASSERT_EQ(place->missing_files.size(), 1U);
  EXPECT_TRUE(place->missing_files[0].ends_with("b.dwo")) << place->missing_files[0];
}

TEST_P(Split, a_function_of_a_missing_file_is_not_said_to_be_nowhere) {
  const std::string at = folder("gone");
  ASSERT_TRUE(shell("rm " + at + "/b.dwo"));
  const auto info = open_in(at);
  ASSERT_TRUE(info.has_value());
  const auto place = (*info)->resolve("no_such_name");
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().reason, "no-split-debug-file");
  EXPECT_NE(place.error().message.find("b.dwo"), std::string::npos) << place.error().message;
}

// The same program twice, so that there is something to share.
std::string shared(const std::string& name, const std::string& options = "") {
  return made(name, "gcc -O2 -gdwarf-4 a.c b.c -o p1 && gcc -O1 -gdwarf-4 a.c b.c -o p2 && dwz " +
                        options + " -m common.debug p1 p2");
}

class Shared : public testing::Test {
 protected:
  void SetUp() override {
    if (!shell("command -v dwz > /dev/null")) GTEST_SKIP() << "dwz is not installed";
  }
};

TEST_F(Shared, what_dwz_moved_to_another_file_is_read_from_there) {
  const std::string at = shared("dwz");
  ASSERT_TRUE(shell("readelf -S " + at + "/p1 | grep -q gnu_debugaltlink"));
  const auto info = open_in(at);
  ASSERT_TRUE(info.has_value()) << info.error().message;
  const auto place = (*info)->resolve("square");
  ASSERT_TRUE(place.has_value()) << place.error().message;
  ASSERT_EQ(place->sites.size(), 2U);
  const auto variables = (*info)->variables_at(place->sites[0].pc);
  ASSERT_TRUE(variables.has_value());
  const Variable* box = named(*variables, "b");
  ASSERT_NE(box, nullptr);
  const Type* type = strip_typedefs(box->type->target);
  if (type->target != nullptr && type->members.empty()) type = strip_typedefs(type->target);
  ASSERT_EQ(type->members.size(), 2U);
  EXPECT_EQ(type->members[1].name, "height");
}

TEST_F(Shared, without_that_file_nothing_is_guessed) {
  const std::string at = shared("dwz-missing");
  ASSERT_TRUE(shell("rm " + at + "/common.debug"));
  const auto info = open_in(at);
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().reason, "no-shared-debug-file");
  EXPECT_NE(info.error().message.find("common.debug"), std::string::npos) << info.error().message;
}

TEST_F(Shared, the_file_of_another_build_is_refused) {
  const std::string at = shared("dwz-other");
  ASSERT_TRUE(shell("cd " + at + " && sed -i 's/width, height/height, width/' s.h && " +
                    "gcc -O2 -gdwarf-4 a.c b.c -o p3 && gcc -O1 -gdwarf-4 a.c b.c -o p4 && " +
                    "dwz -m common.debug p3 p4"));
  const auto info = open_in(at);
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().reason, "no-shared-debug-file");
  EXPECT_TRUE(open_in(at, "p3").has_value());
}

TEST_F(Shared, the_form_of_dwarf_5_is_refused) {
  const std::string at =
      made("dwz5",
           "gcc -O2 -gdwarf-5 a.c b.c -o p1 && gcc -O1 -gdwarf-5 a.c b.c -o p2 && "
           "dwz --dwarf-5 -m common.debug p1 p2");
  ASSERT_TRUE(shell("readelf -S " + at + "/p1 | grep -q debug_sup"));
  const auto info = open_in(at);
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().reason, "no-shared-debug-file");
}

}  // namespace
}  // namespace nohalt::symbols
