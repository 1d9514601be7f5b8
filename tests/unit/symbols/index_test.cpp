// What is kept of debug files between runs: the same answers with it as without it, and
// nothing from a file that is not to be trusted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "probes/symbols/index_store.h"
#include "probes/symbols/name_table.h"
#include "src/base/file.h"
#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

namespace fs = std::filesystem;

// Each test has a cache folder of its own.
class Index : public testing::Test {
 protected:
  void SetUp() override {
    // Behind sudo the folder would be root's own.
    std::ofstream("/proc/self/loginuid") << "4294967295";
    cache_ = scratch_folder() + "/cache-" +
             testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(cache_);
    const char* before = std::getenv("XDG_CACHE_HOME");
    before_ = before != nullptr ? before : "";
    ::setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
  }
  void TearDown() override {
    if (before_.empty())
      ::unsetenv("XDG_CACHE_HOME");
    else
      ::setenv("XDG_CACHE_HOME", before_.c_str(), 1);
  }

  [[nodiscard]] std::string folder() const { return cache_ + "/nohalt/index"; }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> files;
    if (fs::exists(folder()))
      for (const auto& entry : fs::directory_iterator(folder())) files.push_back(entry.path());
    return files;
  }
  // The one file that is there.
  [[nodiscard]] std::string file() const {
    EXPECT_EQ(files().size(), 1U);
    return files().front();
  }
  [[nodiscard]] std::string functions_file() const {
    const std::vector<std::string> all = files();
    return *std::ranges::find_if(
        all, [](const std::string& path) { return path.ends_with(".functions"); });
  }
  void write(const std::string& path, const std::string& bytes) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string cache_;
  std::string before_;
};

IndexKey some_key() {
  IndexKey key{.kind = "sources", .build_id = "00112233", .code = "4096-8192,", .file = {}};
  key.file.st_ino = 7;
  key.file.st_size = 4096;
  key.file.st_mtim = {.tv_sec = 1'700'000'000, .tv_nsec = 5};
  return key;
}

// The checksum that makes other content one that was kept: FNV-1a.
std::string sum_of(const std::string& bytes) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return {reinterpret_cast<const char*>(&sum), sizeof sum};
}

TEST_F(Index, what_is_kept_is_read_again) {
  EXPECT_FALSE(read_index(some_key()));
  keep_index(some_key(), "content");
  EXPECT_EQ(read_index(some_key()), "content");
  keep_index(some_key(), "newer");
  EXPECT_EQ(read_index(some_key()), "newer");
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(Index, that_of_another_file_is_not_read) {
  keep_index(some_key(), "content");
  const std::string bytes = *read_file(file());
  const std::vector<void (*)(IndexKey&)> changes = {[](IndexKey& key) { key.build_id = "00112234"; },
                                                    [](IndexKey& key) { key.file.st_ino = 8; },
                                                    [](IndexKey& key) { key.file.st_dev = 8; },
                                                    [](IndexKey& key) { key.file.st_size = 8; },
                                                    [](IndexKey& key) { key.file.st_mtim.tv_nsec = 8; },
                                                    [](IndexKey& key) { key.code = "4096-8193,"; },
                                                    [](IndexKey& key) { key.kind = "functions"; }};
  for (const auto change : changes) {
    fs::remove_all(folder());
    IndexKey key = some_key();
    change(key);
    EXPECT_FALSE(read_index(key));
    // Nor where the one file has the other's name.
    keep_index(key, "other");
    write(file(), bytes);
    EXPECT_FALSE(read_index(key));
  }
}

TEST_F(Index, a_changed_or_cut_file_is_not_read) {
  keep_index(some_key(), "some content");
  const std::string bytes = *read_file(file());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write(file(), changed);
    EXPECT_FALSE(read_index(some_key())) << i;
    write(file(), bytes.substr(0, i));
    EXPECT_FALSE(read_index(some_key())) << i;
  }
  write(file(), bytes + "x");
  EXPECT_FALSE(read_index(some_key()));
  write(file(), bytes);
  EXPECT_TRUE(read_index(some_key()));
}

TEST_F(Index, what_others_may_write_is_not_read) {
  keep_index(some_key(), "content");
  for (const std::string& path : {file(), folder(), cache_ + "/nohalt", cache_}) {
    const auto before = fs::status(path).permissions();
    fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
    EXPECT_FALSE(read_index(some_key())) << path;
    fs::permissions(path, before);
    EXPECT_TRUE(read_index(some_key())) << path;
  }
}

TEST_F(Index, what_another_user_owns_is_not_read) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  keep_index(some_key(), "content");
  for (const std::string& path : {file(), folder(), cache_ + "/nohalt", cache_}) {
    ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
    EXPECT_FALSE(read_index(some_key())) << path;
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    EXPECT_TRUE(read_index(some_key())) << path;
  }
}

TEST_F(Index, links_are_not_followed) {
  keep_index(some_key(), "content");
  for (const std::string& path : {file(), folder(), cache_ + "/nohalt"}) {
    const std::string moved = cache_ + "/moved";
    fs::rename(path, moved);
    fs::create_symlink(moved, path);
    EXPECT_FALSE(read_index(some_key())) << path;
    fs::remove(path);
    fs::rename(moved, path);
    EXPECT_TRUE(read_index(some_key())) << path;
  }
}

TEST_F(Index, without_a_folder_nothing_is_kept) {
  write(cache_ + "/file", "");
  for (const std::string& place : {cache_ + "/file", cache_ + "/none/none", std::string("here")}) {
    ::setenv("XDG_CACHE_HOME", place.c_str(), 1);
    keep_index(some_key(), "content");
    EXPECT_FALSE(read_index(some_key())) << place;
  }
  ::setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
  ::setenv("NOHALT_NO_CACHE", "1", 1);
  keep_index(some_key(), "content");
  ::unsetenv("NOHALT_NO_CACHE");
  EXPECT_TRUE(files().empty());
}

TEST_F(Index, the_folder_stays_small_and_what_was_used_lately_stays) {
  const std::string content(15U << 20U, 'x');
  IndexKey key = some_key();
  for (int i = 0; i < 4; ++i) {
    key.build_id = "000" + std::to_string(i);
    keep_index(key, content);
  }
  ASSERT_EQ(files().size(), 4U);
  for (const std::string& path : files())
    if (!path.contains("/0002-"))
      fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(1));
  for (int i = 4; i < 7; ++i) {
    key.build_id = "000" + std::to_string(i);
    keep_index(key, content);
  }
  const std::vector<std::string> left = files();
  EXPECT_EQ(left.size(), 4U);
  EXPECT_TRUE(
      std::ranges::any_of(left, [](const std::string& path) { return path.contains("/0002-"); }));
}

TEST(Names, a_table_is_read_as_it_was_written) {
  const NameTable table({{"a.c", {0, 3}}, {"b.c", {1}}, {"c.c", {0, 1, 2, 3}}}, 4);
  const auto read = NameTable::read(table.bytes());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->unit_count(), 4U);
  EXPECT_EQ(read->size(), 3U);
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(read->name(i), table.name(i));
    EXPECT_TRUE(std::ranges::equal(read->units(i), table.units(i)));
    EXPECT_TRUE(std::ranges::equal(read->find(table.name(i)), table.units(i)));
  }
  for (const char* name : {"", "a", "b.cc", "d"}) EXPECT_TRUE(read->find(name).empty()) << name;
}

TEST(Names, other_bytes_are_no_table_or_a_sound_one) {
  const std::string bytes = NameTable({{"a", {0, 1}}, {"b", {1}}, {"c", {0}}}, 2).bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(NameTable::read(bytes.substr(0, i))) << i;
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      const auto table = NameTable::read(changed);
      if (!table) continue;
      for (std::size_t name = 0; name < table->size(); ++name)
        for (const std::uint32_t unit : table->units(name)) EXPECT_LT(unit, table->unit_count());
    }
  }
}

constexpr const char* kMany = R"(
namespace shop { struct Till { int take(int n) { return n * 3; } }; }
static inline int twice(int v) { return v * 2; }
int work(int n) {
  struct Local { int take(int v) { return v + 1; } } local;
  int a = twice(n);
  return a + local.take(n) + shop::Till().take(a);
}
int main(int argc, char**) { return work(argc) + twice(argc); }
)";

// What it says of a place, or why it does not.
std::string said_of(const DebugInfo& info, const std::string& location) {
  const Result<ResolvedPlace> place = info.resolve(location);
  if (!place) return place.error().reason + " " + place.error().message + place.error().hint;
  std::string all;
  for (const LineSite& site : place->sites)
    all += std::to_string(site.pc.value) + " " + site.function + " in " + site.inlined_into + "\n";
  return all;
}

const std::vector<std::string> kAsked = {
    "work",         "twice",       "take",       "shop::Till::take",
    "Till::take",   "Local::take", "tvice",      "nothing_like_it",
    "many.cpp:7",   "many.cpp:1",  "mony.cpp:7", "many.cpp:work",
    "many.cpp:wurk"};

TEST_F(Index, the_answers_are_the_same_with_it_and_without) {
  for (const char* flags :
       {"-O0 -gdwarf-5 -Wl,--build-id", "-O2 -gdwarf-4 -Wl,--build-id",
        "-O2 -flto -gdwarf-5 -Wl,--build-id", "-O2 -gdwarf-5 -gz=zlib -Wl,--build-id"}) {
    const Build build{.compiler = "g++", .flags = flags};
    std::vector<std::string> answers[3];
    for (int round = 0; round < 3; ++round) {
      if (round == 0) ::setenv("NOHALT_NO_CACHE", "1", 1);
      for (const std::string& location : kAsked)
        answers[round].push_back(said_of(*opened("many.cpp", kMany, build), location));
      ::unsetenv("NOHALT_NO_CACHE");
      EXPECT_EQ(files().size(), round == 0 ? 0U : 2U) << flags;
    }
    EXPECT_EQ(answers[0], answers[1]) << flags;
    EXPECT_EQ(answers[0], answers[2]) << flags;
    fs::remove_all(folder());
  }
}

TEST_F(Index, one_that_cannot_be_of_the_file_is_made_anew) {
  const Build build{.compiler = "g++", .flags = "-O0 -g -Wl,--build-id"};
  const std::string wanted = said_of(*opened("many.cpp", kMany, build), "work");
  const std::string kept = *read_file(functions_file());
  const std::string head = kept.substr(0, kept.find('\n') + 1);
  const auto replace = [&](const std::string& content) {
    write(functions_file(), head + content + sum_of(head + content));
  };
  // What passes for a kept one is used: so the checks below are reached.
  replace(NameTable({{"other", {0}}}, 1).bytes());
  EXPECT_TRUE(said_of(*opened("many.cpp", kMany, build), "work").starts_with("no-such-function"));
  replace(NameTable({{"work", {90}}}, 91).bytes());
  EXPECT_EQ(said_of(*opened("many.cpp", kMany, build), "work"), wanted);
  replace("no table");
  EXPECT_EQ(said_of(*opened("many.cpp", kMany, build), "work"), wanted);
}

TEST_F(Index, what_other_files_complete_is_not_kept) {
  const Build build{.compiler = "g++", .flags = "-O0 -g -gsplit-dwarf -Wl,--build-id"};
  EXPECT_FALSE(said_of(*opened("many.cpp", kMany, build), "work").starts_with("no-such"));
  EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace nohalt::symbols
