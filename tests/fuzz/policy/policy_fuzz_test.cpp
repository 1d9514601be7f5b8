// Any bytes as a policy file: rules or mistakes, never anything else, and soon. Some
// inputs are noise, some are a good file with bytes changed, moved and repeated.
#include <gtest/gtest.h>

#include <random>

#include "policy/file/cases.h"
#include "policy/file/reader.h"

namespace nohalt::policy {
namespace {

constexpr std::string_view kGood = R"(version: 1
source_root: /build
roles:
  - name: a
    members: { users: [x, 1], groups: ["g"] }
    may: [plan, log]
    where: { exe: ["/usr/**"], run_as: [x] }
    sources: { allow: ["src/**"] }
    limits: { probes: 3, cpu: 1%, lease: 5m, target: { probes: 2 } }
    require: { ticket: "A-[0-9]+" }
    until: 2026-12-01T18:00:00Z
deny:
  - where: { exe: ["/x"] }
redact: { names: [a b], values: [jwt, { name: n, pattern: "x+" }] }
)";

std::string noise(std::mt19937_64& random) {
  static constexpr std::string_view kLikely = "{}[]:,-&*!|>'\"#%@`? \n\tab1~<";
  std::string text(random() % 300, '\0');
  for (char& c : text)
    c = random() % 8 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
  return text;
}

std::string changed(std::mt19937_64& random) {
  std::string text(kGood);
  for (std::uint64_t change = random() % 4; change < 4; ++change) {
    const std::size_t at = random() % text.size();
    const std::size_t length = random() % 20;
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), length));
        break;
      default:
        text.insert(at, noise(random).substr(0, length));
    }
    if (text.empty()) text = "x";
  }
  return text;
}

TEST(PolicyFuzz, AnyBytesAreRulesOrMistakes) {
  std::mt19937_64 random(20261121);
  std::size_t good = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = i % 3 == 0 ? noise(random) : changed(random);
    const ReadRules read = read_rules(text, "p.yaml");
    const std::size_t rules = read.rules.roles.size() + read.rules.deny.size();
    ASSERT_TRUE(read.mistakes.empty() || rules == 0) << text;
    for (const Mistake& mistake : read.mistakes) {
      ASSERT_FALSE(mistake.message.empty());
      ASSERT_EQ(mistake_text("p.yaml", mistake).find('\n'), std::string::npos) << text;
    }
    if (read.mistakes.empty()) ++good;
    static_cast<void>(read_cases(text));
  }
  EXPECT_GT(good, 0U);
}

}  // namespace
}  // namespace nohalt::policy
