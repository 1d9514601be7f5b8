// A file is there whole, for its owner alone, or as it was.
#include "src/output/whole_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace nohalt::output {
namespace {

namespace fs = std::filesystem;

class WholeFile : public testing::Test {
 protected:
  WholeFile() {
    std::string name = testing::TempDir() + "whole-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~WholeFile() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return folder_ / name; }
  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), {});
  }

  fs::path folder_;
};

TEST_F(WholeFile, IsForItsOwnerAlone) {
  ASSERT_TRUE(write_whole_file(path("new"), "bytes"));
  struct stat status{};
  ASSERT_EQ(::stat(path("new").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(content(path("new")), "bytes");
  EXPECT_EQ(files(), 1);
}

TEST_F(WholeFile, ReplacesOneOfThatName) {
  std::ofstream(path("old")) << "something longer";
  ASSERT_TRUE(write_whole_file(path("old"), "new"));
  EXPECT_EQ(content(path("old")), "new");
}

TEST_F(WholeFile, DoesNotFollowALink) {
  std::ofstream(path("other")) << "kept";
  fs::create_symlink(path("other"), path("link"));
  const Status written = write_whole_file(path("link"), "new");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().reason, "output-unwritable");
  EXPECT_EQ(content(path("other")), "kept");
}

TEST_F(WholeFile, LeavesAFileOfSeveralNames) {
  std::ofstream(path("one")) << "kept";
  fs::create_hard_link(path("one"), path("two"));
  EXPECT_FALSE(write_whole_file(path("two"), "new"));
  EXPECT_EQ(content(path("one")), "kept");
}

TEST_F(WholeFile, IsRefusedBeforehandWhereItsFolderIsNone) {
  EXPECT_FALSE(may_write_file(path("missing/new")));
  EXPECT_TRUE(may_write_file(path("new")));
  EXPECT_EQ(files(), 0);
}

}  // namespace
}  // namespace nohalt::output
