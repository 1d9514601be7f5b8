// Any bytes as a trail, a bundle or a file of checkpoints: an answer, soon, and
// nothing in it that drives a terminal. Half of the inputs are noise, half are real
// lines cut, joined and changed anyhow. Bounded by time and by rounds.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "policy/audit/bundle.h"
#include "policy/audit/scan.h"
#include "policy/audit/trail_end.h"
#include "policy/audit/verify.h"
#include "src/output/audit_forms.h"

namespace nohalt::policy {
namespace {

constexpr int kRounds = 20'000;
constexpr std::chrono::seconds kLongest{20};

class AuditFuzz : public testing::Test {
 protected:
  AuditFuzz() {
    TrailEnd end;
    for (int i = 0; i < 6; ++i) {
      Event event;
      event.kind = kAllEvents[random_() % std::size(kAllEvents)];
      event.reason = "=cmd|' /C calc'!A0 \x1b[2J\xe2\x80\xae\",\n\\|";
      event.locations = {"a.c:1"};
      LineFrame frame;
      frame.seq = end.seq + 1;
      frame.previous = end.previous;
      frame.chain = end.chain;
      lines_.push_back(audit_line(event, frame));
      end = end_after(end, lines_.back());
    }
    lines_.push_back(R"({"bundle":1,"ticket":"T"})");
    lines_.push_back(R"({"from":1,"skipped":["a"]})");
    lines_.push_back(R"({"seal":{"key":"k","signature":"s"}})");
    lines_.push_back(nlohmann::json{{"record", lines_[0]}}.dump());
  }

  std::string noise() {
    std::string text(random_() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }

  std::string pieces() {
    std::string text;
    for (std::size_t i = random_() % 8; i > 0; --i) {
      std::string line = lines_[random_() % lines_.size()];
      if (random_() % 3 == 0) line.resize(random_() % (line.size() + 1));
      if (random_() % 3 == 0 && !line.empty())
        line[random_() % line.size()] = static_cast<char>(random_());
      text += line + (random_() % 10 == 0 ? "" : "\n");
    }
    return text;
  }

  static void expect_safe(const std::string& text, const std::string& input) {
    for (const char c : text)
      ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << input;
    ASSERT_EQ(text.find("\xe2\x80\xae"), text.npos) << input;
  }

  void judge(const std::string& text) {
    const ChainReport report = verify_chain(text);
    output::AuditVerdict verdict;
    verdict.chain = report;
    expect_safe(output::audit_verdict_text(verdict), text);
    static_cast<void>(read_checkpoints(text));
    const TrailEnd end = read_trail_end(text);
    ASSERT_EQ(end.previous.size(), 64U);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t stop = std::min(text.find('\n', at), text.size());
      judge_line(text.substr(at, stop - at));
      at = stop + 1;
    }
  }

  void judge_line(const std::string& line) {
    static_cast<void>(signed_message(line));
    const auto entry = parse_entry(line);
    if (!entry) return;
    ++records_;
    for (const std::string& form :
         {output::audit_text(*entry), output::audit_csv(*entry), output::audit_cef(*entry)}) {
      expect_safe(form, line);
      ASSERT_EQ(std::count(form.begin(), form.end(), '\n'), 1) << line;
    }
  }

  std::mt19937_64 random_{11};
  std::vector<std::string> lines_;
  std::uint64_t records_ = 0;
};

TEST_F(AuditFuzz, TakesAnyBytesAsATrail) {
  const auto stop = std::chrono::steady_clock::now() + kLongest;
  int round = 0;
  for (; round < kRounds && std::chrono::steady_clock::now() < stop; ++round) {
    judge(round % 2 == 0 ? noise() : pieces());
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(round, 100);
  EXPECT_GT(records_, 100U);
}

TEST_F(AuditFuzz, TakesAnyBytesAsABundle) {
  const auto stop = std::chrono::steady_clock::now() + kLongest;
  const std::string path =
      std::filesystem::temp_directory_path() / ("nohalt-fuzz-" + std::to_string(::getpid()));
  for (int round = 0; round < kRounds / 20 && std::chrono::steady_clock::now() < stop; ++round) {
    const std::string text = round % 2 == 0 ? noise() : lines_[6] + "\n" + pieces();
    std::ofstream(path) << text;
    const auto report = verify_bundle(TrailReader::open(path).value(), {});
    ASSERT_TRUE(report);
    output::AuditVerdict verdict;
    verdict.chain = report->chain;
    verdict.ticket = report->ticket;
    verdict.sealed_by = report->sealed_by;
    verdict.bundle_faults = report->faults;
    expect_safe(output::audit_verdict_text(verdict), text);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace nohalt::policy
