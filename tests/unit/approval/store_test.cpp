// The store on a disk: many processes, crashes at each step, other people's files.
#include "policy/approval/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "policy/approval/codec.h"
#include "tests/unit/approval/made_request.h"

namespace nohalt::policy {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = std::filesystem::temp_directory_path() / "nohalt-store-XXXXXX";
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] StoreOptions options() const {
    return {requests(), ::geteuid(), [this] { return Result<Moment>(now_); }};
  }
  [[nodiscard]] RequestStore store() const { return RequestStore::open(options()).value(); }
  [[nodiscard]] std::string requests() const { return folder_ / "nohalt" / "requests"; }
  [[nodiscard]] std::string file(const std::string& name) const { return requests() + "/" + name; }
  void write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    std::ofstream(file(name)) << content;
    ASSERT_EQ(::chmod(file(name).c_str(), mode), 0);
  }
  [[nodiscard]] RequestState state(const std::string& id) const {
    return store().find(id).value().state;
  }
  // Exit statuses of so many processes that all begin at once.
  template <class Body>
  static std::vector<int> at_once(int processes, Body body) {
    std::array<int, 2> gate{};
    EXPECT_EQ(::pipe(gate.data()), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(60);
        ::close(gate[1]);
        char byte = 0;
        static_cast<void>(!::read(gate[0], &byte, 1));
        ::_exit(body(i));
      }
      children.push_back(child);
    }
    ::close(gate[0]);
    ::close(gate[1]);
    std::vector<int> statuses;
    for (const pid_t child : children) {
      int status = 0;
      EXPECT_EQ(::waitpid(child, &status, 0), child);
      statuses.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    return statuses;
  }

  std::filesystem::path folder_;
  Moment now_ = at_minute(0);
};

TEST_F(StoreTest, keeps_requests_for_its_owner_alone) {
  ASSERT_TRUE(store().add(made_request("a1")));
  struct stat status{};
  ASSERT_EQ(::stat(file("a1.request").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(requests().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(StoreTest, is_not_there_for_others_than_its_owner) {
  StoreOptions of_another = options();
  of_another.owner = ::geteuid() + 1;
  EXPECT_EQ(RequestStore::open(of_another).error().reason, "no-request-store");
  EXPECT_FALSE(std::filesystem::exists(requests()));
}

TEST_F(StoreTest, relies_on_no_folder_that_others_may_write_to) {
  static_cast<void>(store());
  ASSERT_EQ(::chmod(requests().c_str(), 0770), 0);
  EXPECT_EQ(RequestStore::open(options()).error().reason, "request-store-untrusted");
  ASSERT_EQ(::chmod(requests().c_str(), 0700), 0);
  ASSERT_EQ(::chmod((folder_ / "nohalt").c_str(), 0777), 0);
  EXPECT_EQ(RequestStore::open(options()).error().reason, "request-store-untrusted");
}

TEST_F(StoreTest, takes_a_request_from_waiting_to_used) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  EXPECT_EQ(state("a1"), RequestState::kWaiting);
  EXPECT_EQ(store().claim("a1", request.bound).error().reason, "not-approved");
  now_ = at_minute(5);
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001, "bob"), "go on"));
  EXPECT_EQ(state("a1"), RequestState::kApproved);
  const auto claimed = store().claim("a1", request.bound);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->request().digest, request.digest);
  ASSERT_EQ(claimed->approvals().size(), 1U);
  EXPECT_EQ(claimed->approvals()[0].by.name, "bob");
  EXPECT_EQ(state("a1"), RequestState::kUsed);
  EXPECT_EQ(store().claim("a1", request.bound).error().reason, "request-ended");
  EXPECT_EQ(store().approve(*store().find("a1"), person(1002), "").error().reason, "request-ended");
}

TEST_F(StoreTest, of_many_claimants_at_once_one_succeeds) {
  for (int round = 0; round < 20; ++round) {
    const std::string id = "c" + std::to_string(round);
    const ApprovalRequest request = made_request(id);
    ASSERT_TRUE(store().add(request));
    ASSERT_TRUE(store().approve(*store().find(id), person(1001), ""));
    const auto statuses =
        at_once(8, [&](int) { return store().claim(id, request.bound).has_value() ? 1 : 0; });
    EXPECT_EQ(std::ranges::count(statuses, 1), 1) << id;
    EXPECT_EQ(std::ranges::count(statuses, 0), 7) << id;
  }
}

TEST_F(StoreTest, of_a_claim_and_a_denial_at_once_one_succeeds) {
  for (int round = 0; round < 20; ++round) {
    const std::string id = "d" + std::to_string(round);
    const ApprovalRequest request = made_request(id);
    ASSERT_TRUE(store().add(request));
    ASSERT_TRUE(store().approve(*store().find(id), person(1001), ""));
    const auto statuses = at_once(2, [&](int which) {
      if (which == 0) return store().claim(id, request.bound).has_value() ? 1 : 0;
      return store().close(id, RequestState::kDenied, person(1002), "").value() ? 1 : 0;
    });
    EXPECT_EQ(statuses[0] + statuses[1], 1);
    EXPECT_EQ(state(id), statuses[0] == 1 ? RequestState::kUsed : RequestState::kDenied);
  }
}

TEST_F(StoreTest, nobody_approves_their_own) {
  ASSERT_TRUE(store().add(made_request("a1")));
  const KnownRequest known = store().find("a1").value();
  for (const Person& same : {Person{0, 1000, ""}, Person{1000, {}, ""}, Person{0, {}, ""}})
    EXPECT_EQ(store().approve(known, same, "").error().reason, "own-request");
  EXPECT_EQ(state("a1"), RequestState::kWaiting);
}

TEST_F(StoreTest, counts_people_who_approve_at_once) {
  ASSERT_TRUE(store().add(made_request("a1", 4)));
  const KnownRequest known = store().find("a1").value();
  const auto statuses = at_once(8, [&](int which) {
    const auto login = static_cast<uid_t>(1001 + which % 4);
    return store().approve(known, person(login), "").has_value() ? 1 : 0;
  });
  EXPECT_EQ(std::ranges::count(statuses, 1), 8);
  EXPECT_EQ(store().find("a1")->approvals.size(), 4U);
  EXPECT_EQ(state("a1"), RequestState::kApproved);
}

TEST_F(StoreTest, an_approval_of_another_program_or_policy_is_refused_and_stays) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001), ""));
  BoundRequest changed = request.bound;
  changed.policy_hash = "other";
  const auto refused = store().claim("a1", changed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "approval-stale");
  EXPECT_NE(refused.error().message.find("the policy"), std::string::npos);
  EXPECT_EQ(state("a1"), RequestState::kApproved);
}

TEST_F(StoreTest, an_approval_lapses) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001), ""));
  now_ = at_minute(16);
  EXPECT_EQ(store().claim("a1", request.bound).error().reason, "not-approved");
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001), ""));
  EXPECT_TRUE(store().claim("a1", request.bound));
}

TEST_F(StoreTest, names_what_is_damaged_and_goes_on) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  const std::string whole = encode(made_request("b2"));
  write("b2.request", whole.substr(0, whole.size() / 2));
  write("c3.request", encode(made_request("d4")));
  write("a1.approval-half", encode(approval_of(request, 1001, 0)).substr(0, 40));
  write("a1.approval-open", encode(approval_of(request, 1001, 0)), 0644);
  ASSERT_EQ(::symlink(file("a1.request").c_str(), file("e5.request").c_str()), 0);
  const KnownRequests known = store().list().value();
  ASSERT_EQ(known.requests.size(), 1U);
  EXPECT_EQ(known.requests[0].state, RequestState::kWaiting);
  const std::vector<std::string> damaged{"a1.approval-half", "a1.approval-open", "b2.request",
                                         "c3.request", "e5.request"};
  EXPECT_EQ(known.damaged, damaged);
}

TEST_F(StoreTest, a_request_that_nobody_could_read_is_not_made) {
  ApprovalRequest request = made_request("a1");
  request.bound.reason.assign(2 * 1024 * 1024, 'x');
  EXPECT_EQ(store().add(request).error().reason, "request-too-large");
  EXPECT_TRUE(std::filesystem::is_empty(requests()));
}

TEST_F(StoreTest, a_damaged_request_is_gone_after_a_day) {
  static_cast<void>(store());
  write("a1.request", "{");
  write("c3.request", "{");
  const std::array<timespec, 2> long_ago{
      {{::time(nullptr) - 2 * 86'400, 0}, {::time(nullptr) - 2 * 86'400, 0}}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file("a1.request").c_str(), long_ago.data(), 0), 0);
  ASSERT_TRUE(store().add(made_request("b2")));
  EXPECT_EQ(store().list()->damaged, std::vector<std::string>{"c3.request"});
}

TEST_F(StoreTest, a_use_is_noted_before_it_is_one_and_only_where_nothing_speaks_against_it) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  int noted = 0;
  const auto note = [&]() -> Status {
    ++noted;
    EXPECT_EQ(state("a1"), RequestState::kApproved);
    if (noted == 1) return fail(ErrorCode::kDenied, "audit-unwritable", "x");
    return {};
  };
  EXPECT_EQ(store().claim("a1", request.bound, note).error().reason, "not-approved");
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001), ""));
  BoundRequest other = request.bound;
  other.reason += "!";
  EXPECT_EQ(store().claim("a1", other, note).error().reason, "approval-stale");
  EXPECT_EQ(noted, 0);
  EXPECT_EQ(store().claim("a1", request.bound, note).error().reason, "audit-unwritable");
  EXPECT_EQ(state("a1"), RequestState::kApproved);
  EXPECT_TRUE(store().claim("a1", request.bound, note));
  EXPECT_EQ(store().claim("a1", request.bound, note).error().reason, "request-ended");
  EXPECT_EQ(noted, 2);
}

TEST_F(StoreTest, an_end_that_cannot_be_read_is_an_end) {
  const ApprovalRequest request = made_request("a1");
  ASSERT_TRUE(store().add(request));
  ASSERT_TRUE(store().approve(*store().find("a1"), person(1001), ""));
  write("a1.closing", "{");
  EXPECT_EQ(store().claim("a1", request.bound).error().reason, "request-ended");
  EXPECT_EQ(store().list()->damaged, std::vector<std::string>{"a1.closing"});
}

TEST_F(StoreTest, a_writer_that_was_ended_leaves_nothing_that_counts) {
  static_cast<void>(store());
  write(".new-1-1", encode(made_request("a1")));
  EXPECT_TRUE(store().list()->requests.empty());
  const std::array<timespec, 2> yesterday{
      {{::time(nullptr) - 86'400, 0}, {::time(nullptr) - 86'400, 0}}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file(".new-1-1").c_str(), yesterday.data(), 0), 0);
  write(".new-1-2", "x");
  ASSERT_TRUE(store().add(made_request("b2")));
  EXPECT_FALSE(std::filesystem::exists(file(".new-1-1")));
  EXPECT_TRUE(std::filesystem::exists(file(".new-1-2")));
}

TEST_F(StoreTest, a_writer_killed_at_any_moment_leaves_whole_files_or_none) {
  static_cast<void>(store());
  int written = 0;
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < 100; ++i) {
        const std::string id = "e" + std::to_string(round) + "0" + std::to_string(i);
        if (!store().add(made_request(id)) ||
            !store().approve(*store().find(id), person(1001), "") ||
            !store().claim(id, made_bound()))
          ::_exit(1);
      }
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(round * 331));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  }
  const KnownRequests known = store().list().value();
  EXPECT_TRUE(known.damaged.empty());
  for (const KnownRequest& one : known.requests) {
    ++written;
    EXPECT_NE(one.state, RequestState::kExpired);
    EXPECT_EQ(one.closing.has_value(), one.state == RequestState::kUsed);
  }
  EXPECT_GT(written, 0);
}

TEST_F(StoreTest, takes_away_what_ended_a_day_ago) {
  for (const char* id : {"a1", "b2"}) ASSERT_TRUE(store().add(made_request(id)));
  ASSERT_TRUE(store().close("a1", RequestState::kDenied, person(1001), "").value());
  ASSERT_TRUE(store().approve(*store().find("b2"), person(1001), ""));
  now_ = at_minute(24 * 60 + 1);
  ApprovalRequest fresh = made_request("c3");
  fresh.made = now_;
  ASSERT_TRUE(store().add(fresh));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(requests()))
    left.push_back(entry.path().filename());
  EXPECT_EQ(left, std::vector<std::string>{"c3.request"});
}

TEST_F(StoreTest, knows_no_id_that_leads_elsewhere) {
  static_cast<void>(store());
  for (const char* id : {"", "../a", "a/b", "A1", "zz", "0123456789abcdef0123456789abcdef0"}) {
    EXPECT_EQ(store().find(id).error().reason, "no-such-request") << id;
    EXPECT_EQ(store().close(id, RequestState::kDenied, person(1), "").error().reason,
              "no-such-request");
    EXPECT_FALSE(store().add(made_request(id))) << id;
  }
}

TEST_F(StoreTest, says_what_a_request_came_to) {
  ASSERT_TRUE(store().add(made_request("a1")));
  EXPECT_EQ(state_text(*store().find("a1")), "it waits");
  ASSERT_TRUE(
      store().close("a1", RequestState::kDenied, person(1001, "bob"), "no\x1b[31m").value());
  EXPECT_EQ(state_text(*store().find("a1")), "it was denied by bob (root): no\\x1b[31m");
}

}  // namespace
}  // namespace nohalt::policy
