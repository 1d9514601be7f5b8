// Enums of a real Rust process: a pointer in a variant is followed where that variant is
// there, and nowhere else.
#include <gtest/gtest.h>

#include <algorithm>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/records/values/decode.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::capture {
namespace {

using test::StoppedSubject;
using values::Value;

StoppedSubject& subject() {
  static StoppedSubject stopped(SUBJECT_RUST, SUBJECT_RUST_SOURCE, "variants");
  return stopped;
}

class RustCaptureTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }
  std::string captured(const std::string& text, IsRedacted hidden = {}) {
    const auto bound = language::bind_expression(text, stopped_.scope(), {});
    if (!bound) return bound.error().reason;
    const auto built = build_capture({{*bound}, nullptr, {}, stopped_.bias(), std::move(hidden)});
    if (!built) return built.error().message;
    run_ = stopped_.run(built->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    std::string shown = values::to_text(values::decode(built->layout, run_.body, {})[0].value);
    // Addresses are another each time.
    for (std::size_t at = 0; (at = shown.find("0x", at)) != shown.npos;)
      shown.erase(at, shown.find_first_of(" ),}", at) - at + 1);
    return shown;
  }
  StoppedSubject& stopped_ = subject();
  StoppedSubject::Run run_;
};

TEST_F(RustCaptureTest, follows_a_pointer_in_the_variant_that_is_there) {
  EXPECT_EQ(captured("some"), "Some({x = 10, y = 20})");
  EXPECT_EQ(captured("corner"), "Corner({x = 1, y = 2})");
  EXPECT_EQ(captured("edge"), "Edge({x = 3, y = 4})");
  EXPECT_EQ(captured("named"), "Named(\"a name\")");
}

TEST_F(RustCaptureTest, follows_nothing_in_a_variant_that_is_not_there) {
  EXPECT_EQ(captured("none"), "None");
  EXPECT_EQ(captured("dot"), "Dot(16045690984833335023)");
  EXPECT_EQ(std::ranges::count(run_.addresses, 0xdead'beef'dead'beefU), 0);
}

TEST_F(RustCaptureTest, knows_the_variant_inside_of_what_is_read_piecewise) {
  const std::string wide = captured("wide");
  EXPECT_NE(wide.find("shape = Edge({x = 5, y = 6})"), wide.npos) << wide;
  EXPECT_NE(wide.find("perhaps = Some({x = 7, y = 8})"), wide.npos) << wide;
}

TEST_F(RustCaptureTest, hides_in_all_variants_what_is_hidden_in_one) {
  const IsRedacted hidden = [](std::string_view path, std::string_view) {
    return path.ends_with("password");
  };
  EXPECT_EQ(captured("login", hidden).find("hunter2"), std::string::npos);
  EXPECT_EQ(captured("named", hidden).find("a name"), std::string::npos);
}

TEST_F(RustCaptureTest, names_no_field_of_a_variant) {
  EXPECT_EQ(captured("corner.Corner"), "variant-member");
}

}  // namespace
}  // namespace nohalt::capture
