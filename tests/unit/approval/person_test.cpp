// Who counts as somebody else.
#include "policy/approval/person.h"

#include <gtest/gtest.h>

namespace nohalt::policy {
namespace {

constexpr std::nullopt_t kNever = std::nullopt;

TEST(PersonTest, two_logins_behind_one_root_are_two_people) {
  EXPECT_TRUE(is_surely_another({0, 1000, ""}, {0, 1001, ""}));
}

TEST(PersonTest, one_login_is_one_person_whatever_they_became) {
  EXPECT_FALSE(is_surely_another({0, 1000, ""}, {0, 1000, ""}));
  EXPECT_FALSE(is_surely_another({0, 1000, ""}, {1000, 1000, ""}));
  EXPECT_FALSE(is_surely_another({0, 1000, ""}, {33, 1000, ""}));
}

TEST(PersonTest, a_login_is_compared_with_the_uid_of_who_never_logged_in) {
  EXPECT_FALSE(is_surely_another({0, 1000, ""}, {1000, kNever, ""}));
  EXPECT_TRUE(is_surely_another({0, 1000, ""}, {1001, kNever, ""}));
}

TEST(PersonTest, two_logins_that_became_one_user_may_be_one_person) {
  EXPECT_FALSE(is_surely_another({33, 1000, ""}, {33, 1001, ""}));
}

TEST(PersonTest, root_that_never_logged_in_may_be_anyone) {
  EXPECT_FALSE(is_surely_another({0, kNever, ""}, {0, kNever, ""}));
  EXPECT_FALSE(is_surely_another({0, kNever, ""}, {0, 1000, ""}));
  EXPECT_FALSE(is_surely_another({1000, 1000, ""}, {0, kNever, ""}));
}

TEST(PersonTest, root_that_logged_in_as_root_may_be_anyone) {
  EXPECT_FALSE(is_surely_another({0, 0, ""}, {0, 0, ""}));
  EXPECT_FALSE(is_surely_another({0, 0, ""}, {0, 1000, ""}));
  EXPECT_FALSE(is_surely_another({0, 1000, ""}, {0, 0, ""}));
  EXPECT_FALSE(is_surely_another({0, 0, ""}, {0, kNever, ""}));
  EXPECT_FALSE(is_surely_another({0, 0, ""}, {1000, kNever, ""}));
}

TEST(PersonTest, who_logged_in_as_root_and_became_somebody_is_known_by_what_they_became) {
  EXPECT_TRUE(is_surely_another({33, 0, ""}, {0, 1000, ""}));
  EXPECT_FALSE(is_surely_another({33, 0, ""}, {33, 1000, ""}));
}

TEST(PersonTest, uids_tell_people_apart_who_never_logged_in) {
  EXPECT_TRUE(is_surely_another({1000, kNever, ""}, {1001, kNever, ""}));
  EXPECT_FALSE(is_surely_another({1000, kNever, ""}, {1000, kNever, ""}));
}

TEST(PersonTest, is_called_by_who_logged_in) {
  EXPECT_EQ(person_text({0, 1000, "alice"}), "alice (root)");
  EXPECT_EQ(person_text({0, 1000, ""}), "uid 1000 (root)");
  EXPECT_EQ(person_text({0, kNever, "root"}), "root");
  EXPECT_EQ(person_text({1000, 1000, "alice"}), "alice");
}

}  // namespace
}  // namespace nohalt::policy
