// Rust's maps, rings and shared pointers of a real process: whole ones, and ones in the
// middle of a change, of which each answer says what it is.
#include <gtest/gtest.h>

#include "tests/unit/capture/captured_text.h"

namespace nohalt::capture {
namespace {

test::StoppedSubject& subject() {
  static test::StoppedSubject stopped(SUBJECT_TABLES, SUBJECT_TABLES_SOURCE, "tables");
  return stopped;
}

class RustTablesTest : public test::CapturedText {
 protected:
  RustTablesTest() : CapturedText(subject()) {}
  static constexpr const char* kDisagree =
      "its items and its count do not agree: it is being changed";
  static constexpr const char* kOdd =
      "<unavailable: its parts do not fit together: it is being changed, or is not constructed "
      "yet>";
  static constexpr const char* kLink = "what leads to the next item cannot be read";
  static constexpr const char* kApart = "its next item lies further on than is looked";
  // What is shown of a container whose walk ended early.
  static std::string cut(const std::string& items, const std::string& why) {
    return "{" + items + (items.empty() ? "" : ", ") + "...} <" + why + ">";
  }
  // Of a Tree.
  static std::string numbers(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      text += (i == 0 ? "[" : ", [") + number + "] = " + number;
    }
    return text;
  }
};

TEST_F(RustTablesTest, shows_what_is_in_a_hash_table) {
  EXPECT_EQ(captured("whole"), "{[7] = 70}");
  EXPECT_EQ(captured("members"), "{8364 '€'}");
  EXPECT_EQ(captured("empty"), "{}");
  EXPECT_EQ(captured("texts"), "{[\"key\"] = [1, 2]}");
}

TEST_F(RustTablesTest, ends_the_walk_of_a_hash_table_that_is_being_changed) {
  EXPECT_EQ(captured("more"), cut("[7] = 70", kDisagree));
  EXPECT_EQ(captured("odd"), kOdd);
  EXPECT_EQ(captured("crowded"), kOdd);
  EXPECT_EQ(captured("wild"), cut("", kLink));
}

TEST_F(RustTablesTest, looks_only_so_far_for_the_next_full_bucket) {
  EXPECT_EQ(captured("far"), cut("", kApart));
}

TEST_F(RustTablesTest, shows_what_is_in_a_b_tree_in_order) {
  EXPECT_EQ(captured("small"), "{" + numbers(4) + "}");
  EXPECT_EQ(captured("tall"), cut(numbers(20), "20 of 400 shown"));
  EXPECT_EQ(captured("order"), "{8, 9}");
  EXPECT_EQ(captured("named"), "{[\"a\"] = [], [\"b\"] = [1]}");
}

TEST_F(RustTablesTest, ends_the_walk_of_a_b_tree_that_is_being_changed) {
  EXPECT_EQ(captured("longer"), cut(numbers(4), kDisagree));
  EXPECT_EQ(captured("stuffed"), cut("", kDisagree));
  EXPECT_EQ(captured("strange"), cut(numbers(11), kDisagree));
  EXPECT_EQ(captured("severed"), cut(numbers(11), kLink));
  EXPECT_EQ(captured("looped"), cut("", kDisagree));
  EXPECT_EQ(captured("lofty"), cut("", kApart));
}

TEST_F(RustTablesTest, shows_a_ring_from_its_first_item_on) {
  EXPECT_EQ(captured("ring"), "[1, 2, 3]");
  EXPECT_EQ(captured("outside"), kOdd);
  EXPECT_EQ(captured("beyond"), kOdd);
}

TEST_F(RustTablesTest, counts_who_shares_a_value_and_ends_where_it_leads_to_itself) {
  EXPECT_EQ(captured("shared"), "(use 2, weak 0) -> 5");
  EXPECT_EQ(captured("other"), "(use 2, weak 0) -> 5");
  EXPECT_EQ(captured("never"), "(null)");
  EXPECT_EQ(captured("gone"), "(use 0, weak 1) (expired)");
  EXPECT_EQ(captured("slice"), "[1, 2]");
  EXPECT_EQ(captured("name"), "\"shared text\"");
  EXPECT_EQ(captured("circle").find("number = 2"), std::string::npos);
  EXPECT_LT(captured("circle").size(), 200U);
}

TEST_F(RustTablesTest, hides_the_keys_or_the_values_that_a_rule_hides) {
  const Redaction keys = [](std::string_view, const symbols::Type& type) {
    return type.name == "alloc::string::String";
  };
  const Redaction values = [](std::string_view path, const symbols::Type&) {
    return path.ends_with("[].__1");
  };
  EXPECT_EQ(captured("named", keys), "{[<redacted>] = [], [<redacted>] = [1]}");
  EXPECT_EQ(captured("named", values), "{[\"a\"] = <redacted>, [\"b\"] = <redacted>}");
  EXPECT_EQ(captured("texts", keys), "{[<redacted>] = [1, 2]}");
  EXPECT_EQ(captured("texts", values), "{[\"key\"] = <redacted>}");
}

}  // namespace
}  // namespace nohalt::capture
