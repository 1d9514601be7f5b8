// A folder for a trail and its key, gone with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "policy/audit/trail.h"
#include "policy/audit/verify.h"
#include "src/base/file.h"

namespace nohalt::policy {

class TrailTest : public testing::Test {
 protected:
  TrailTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "nohalt-trail-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TrailTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const char* name = "audit.jsonl") const { return folder_ / name; }
  static std::string content(const std::string& path) { return read_file(path).value(); }

  // The key lies beside the trail, and nothing is copied.
  TrailOptions options() const {
    TrailOptions options;
    options.key_folder = folder_ / "key";
    options.places = {"", "", false};
    return options;
  }
  Result<Trail> open(const std::string& path, const Caller& caller = {}) const {
    return Trail::open(caller, path, options());
  }
  // Of all files of the trail.
  static ChainReport verified(const std::string& path) {
    return verify_trail(TrailReader::open(path).value(), {}).value();
  }

  std::filesystem::path folder_;
};

}  // namespace nohalt::policy
