// A set of two uids at most, compared. Root's is in none.
#include "policy/approval/person.h"

#include <algorithm>

namespace nohalt::policy {

namespace {

std::vector<uid_t> known_by(const Person& person) {
  std::vector<uid_t> uids;
  if (person.login_uid && *person.login_uid != 0) uids.push_back(*person.login_uid);
  if (person.uid != 0) uids.push_back(person.uid);
  return uids;
}

}  // namespace

Person Person::of(const Caller& caller) {
  const bool became = caller.login_uid && *caller.login_uid != caller.uid;
  return {caller.uid, caller.login_uid, became ? user_name(*caller.login_uid) : caller.user};
}

bool is_surely_another(const Person& one, const Person& other) {
  const std::vector<uid_t> first = known_by(one);
  const std::vector<uid_t> second = known_by(other);
  if (first.empty() || second.empty()) return false;
  return std::ranges::find_first_of(first, second) == first.end();
}

std::string person_text(const Person& person) {
  const uid_t uid = person.login_uid.value_or(person.uid);
  const std::string name = person.name.empty() ? "uid " + std::to_string(uid) : person.name;
  return uid != 0 && person.uid == 0 ? name + " (root)" : name;
}

}  // namespace nohalt::policy
