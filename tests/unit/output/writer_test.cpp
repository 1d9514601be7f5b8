// A record's whole way: the value rules hold in both forms, and the digest is
// that of what was written.
#include "src/output/writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/base/file.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

using std::chrono::milliseconds;

class Written : public testing::Test {
 protected:
  ~Written() override { std::remove(path_.c_str()); }

  Writer writer(session::Format format) {
    return Writer(Sink::open(path_).value(), format, false, sample_origin(), talk_);
  }
  std::string content() const { return read_file(path_).value(); }

  std::string path_ = testing::TempDir() + "nohalt-writer-" + std::to_string(::getpid());
  Talk talk_;
};

Hit with_secrets() {
  Hit hit = sample_hit();
  hit.message = "paid by 4111 1111 1111 1111";
  hit.values = {
      {"card", "long", "exact", "", "4111111111111111", false, true},
      {"who", "user", "exact", "", R"({"mails":["a@example.org",7],"n":1})", false, false},
      {"fine", "int", "exact", "", "41", false, false}};
  return hit;
}

TEST_F(Written, ValueRulesHideInMessagesAndInsideValues) {
  for (const session::Format format : {session::Format::kJson, session::Format::kText}) {
    Writer out = writer(format);
    out.hit(with_secrets());
    ASSERT_TRUE(out.drain(milliseconds{1000}));
    EXPECT_EQ(content().find("1111"), std::string::npos) << content();
    EXPECT_EQ(content().find("example.org"), std::string::npos) << content();
    EXPECT_EQ(out.redactions().at("payment-card"), 2U);
    EXPECT_EQ(out.redactions().at("email"), 1U);
  }
}

TEST_F(Written, AHiddenValueSaysWhy) {
  Writer out = writer(session::Format::kJson);
  out.hit(with_secrets());
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const auto values = nlohmann::json::parse(content())["values"];
  EXPECT_EQ(values["card"]["state"], "redacted");
  EXPECT_EQ(values["card"]["why"], "it looks like payment-card");
  EXPECT_EQ(values["who"]["value"]["mails"][0], "[redacted:email]");
  EXPECT_EQ(values["who"]["value"]["n"], 1);
  EXPECT_EQ(values["fine"]["state"], "exact");
}

TEST_F(Written, TheReceiptIsTheLastRecordAndCarriesTheSaltOfTheDigest) {
  Writer out = writer(session::Format::kJson);
  out.hit(sample_hit());
  out.receipt({});
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  const std::string all = content();
  const std::size_t end_of_hit = all.find('\n') + 1;
  const auto receipt = nlohmann::json::parse(all.substr(end_of_hit));
  EXPECT_EQ(receipt["kind"], "receipt");
  EXPECT_EQ(
      policy::sha256_hex(receipt["output_salt"].get<std::string>() + all.substr(0, end_of_hit)),
      out.digest());
}

TEST_F(Written, InTextTheFileHoldsMessagesOnly) {
  Writer out = writer(session::Format::kText);
  out.hit(sample_hit());
  ASSERT_TRUE(out.drain(milliseconds{1000}));
  EXPECT_EQ(content().find('\n'), content().size() - 1);
}

}  // namespace
}  // namespace nohalt::output
