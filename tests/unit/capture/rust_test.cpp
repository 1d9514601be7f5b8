// Enums of a real Rust process: a pointer in a variant is followed where that variant is
// there, and nowhere else.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/capture/captured_text.h"

namespace nohalt::capture {
namespace {

test::StoppedSubject& subject() {
  static test::StoppedSubject stopped(SUBJECT_RUST, SUBJECT_RUST_SOURCE, "variants");
  return stopped;
}

class RustCaptureTest : public test::CapturedText {
 protected:
  RustCaptureTest() : CapturedText(subject()) {}
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
  const Redaction hidden = [](std::string_view path, const symbols::Type&) {
    return path.ends_with("password");
  };
  EXPECT_EQ(captured("login", hidden).find("hunter2"), std::string::npos);
  EXPECT_EQ(captured("named", hidden).find("a name"), std::string::npos);
}

TEST_F(RustCaptureTest, reads_the_fields_of_the_variant_that_is_there) {
  EXPECT_EQ(captured("corner.Corner.__0->x"), "1");
  EXPECT_EQ(captured("some.Some.__0->y + 1"), "21");
  EXPECT_EQ(captured("named.Named.__0"), "\"a name\"");
  EXPECT_EQ(captured("dot.Dot.__0"), "16045690984833335023");
}

TEST_F(RustCaptureTest, reads_no_field_of_a_variant_that_is_not_there) {
  EXPECT_EQ(captured("dot.Corner.__0->x"), "<unavailable: it is not Corner here>");
  EXPECT_EQ(std::ranges::count(run_.addresses, 0xdead'beef'dead'beefU), 0);
  EXPECT_EQ(captured("none.Some.__0->x"), "<unavailable: it is not Some here>");
  EXPECT_EQ(captured("corner.Edge.__0"), "<unavailable: it is not Edge here>");
}

TEST_F(RustCaptureTest, tests_text_in_both_forms) {
  EXPECT_EQ(captured("starts_with(text, \"own\")"), "true");
  EXPECT_EQ(captured("contains(text, \"ned\") && !contains(text, \"nde\")"), "true");
  EXPECT_EQ(captured("contains(named.Named.__0, \"a n\")"), "true");
  EXPECT_EQ(captured("starts_with(named.Named.__0, \"names\")"), "false");
}

TEST_F(RustCaptureTest, says_nothing_of_a_variant_that_shares_its_bytes_with_what_is_hidden) {
  const Redaction hidden = [](std::string_view path, const symbols::Type&) {
    return path.ends_with("password");
  };
  EXPECT_EQ(captured("login.Login.password", hidden).find("hunter2"), std::string::npos);
  EXPECT_EQ(captured("named.Named.__0", hidden).find("a name"), std::string::npos);
}

}  // namespace
}  // namespace nohalt::capture
