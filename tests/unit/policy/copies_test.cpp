// What goes off the host: to a socket that pretends to be journald or syslog.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>

#include "policy/audit/digest.h"
#include "policy/audit/scan.h"
#include "src/base/unique_fd.h"
#include "tests/unit/policy/trail_fixture.h"

namespace nohalt::policy {
namespace {

class FakeLog {
 public:
  explicit FakeLog(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }

  std::vector<std::string> received() const {
    std::vector<std::string> all;
    std::string buffer(1 << 20, '\0');
    for (ssize_t n = 0; (n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) >= 0;)
      all.push_back(buffer.substr(0, static_cast<std::size_t>(n)));
    return all;
  }

 private:
  UniqueFd fd_;
};

class Copies : public TrailTest {
 protected:
  Result<Trail> copying(bool every) const {
    TrailOptions copying = options();
    copying.copy_every_record = every;
    copying.places = {folder_ / "journal", folder_ / "log", false};
    return Trail::open(Caller{}, path(), copying);
  }
  static Event denied() {
    Event event;
    event.kind = EventKind::kDenied;
    return event;
  }
};

TEST_F(Copies, AnAlertIsSentAtOnceAtItsPriority) {
  Event broken;
  broken.kind = EventKind::kGlassBroken;
  EXPECT_FALSE(copying(false)->append_alert(broken).value()) << "there is nobody to take it";
  const FakeLog journal(folder_ / "journal");
  EXPECT_TRUE(copying(false)->append_alert(broken).value());
  const auto received = journal.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_NE(received[0].find("\nPRIORITY=1\nSYSLOG_FACILITY=10\n"), std::string::npos);
  EXPECT_NE(received[0].find("\nNOHALT_EVENT=glass-broken\n"), std::string::npos);
  EXPECT_TRUE(syslog_datagram("x", Priority::kAlert).starts_with("<81>"));
  EXPECT_TRUE(syslog_datagram("x").starts_with("<85>"));
}

TEST_F(Copies, ACheckpointIsSentToJournaldWhole) {
  const FakeLog journal(folder_ / "journal");
  ASSERT_TRUE(copying(false)->append(denied()));
  const auto received = journal.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_NE(received[0].find("\nSYSLOG_IDENTIFIER=nohalt\nNOHALT_EVENT=checkpoint\n"),
            std::string::npos);
  const std::string message = received[0].substr(8, received[0].find('\n') - 8);
  const auto kept = read_checkpoints(message);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(verify_trail(TrailReader::open(path()).value(), kept)->agreed_up_to, 2U);
}

TEST_F(Copies, GoToSyslogWhereThereIsNoJournald) {
  const FakeLog log(folder_ / "log");
  ASSERT_TRUE(copying(false)->append(denied()));
  const auto received = log.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_TRUE(received[0].starts_with("<85>")) << received[0];
  EXPECT_EQ(
      verify_trail(TrailReader::open(path()).value(), read_checkpoints(received[0]))->agreed_up_to,
      2U);
}

TEST_F(Copies, EveryRecordIsSentWhereAsked) {
  const FakeLog journal(folder_ / "journal");
  const auto trail = copying(true);
  ASSERT_TRUE(trail->append(Event{}));
  ASSERT_TRUE(trail->append(denied()));
  EXPECT_EQ(journal.received().size(), 3U);
}

TEST_F(Copies, AskedForAndNotTakenIsADenialWithTheRecordKept) {
  const auto appended = copying(true)->append(Event{});
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().reason, "audit-not-copied");
  EXPECT_EQ(appended.error().code, ErrorCode::kDenied);
  EXPECT_EQ(verified(path()).whole_lines, 1U);
}

TEST_F(Copies, NotAskedForAndNowhereToGoIsNoError) {
  EXPECT_TRUE(copying(false)->append(denied()));
}

TEST_F(Copies, ARecordThatIsTooLargeIsSentAsItsNumberAndHash) {
  const FakeLog journal(folder_ / "journal");
  Event event;
  event.reason = std::string(600'000, 'x');
  ASSERT_TRUE(copying(true)->append(event));
  const auto received = journal.received();
  ASSERT_EQ(received.size(), 1U);
  std::string line = content(path());
  line.pop_back();
  EXPECT_NE(received[0].find(R"({"event":"requested","seq":1,"sha256":")" + sha256_hex(line)),
            std::string::npos);
}

TEST_F(Copies, CannotBeForgedByTextOfOthers) {
  const FakeLog journal(folder_ / "journal");
  Event event;
  event.reason = "x\nPRIORITY=0\n_UID=0\n";
  event.ticket = std::string("\0\x1b[31m\xe2\x80\xae", 9);
  ASSERT_TRUE(copying(true)->append(event));
  const auto received = journal.received();
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(std::ranges::count(received[0], '\n'), 5);
  EXPECT_EQ(received[0].find('\x1b'), std::string::npos);
}

TEST(LinuxAudit, MessageIsWordsThatNameTheRecord) {
  LineFrame frame;
  frame.seq = 7;
  frame.previous = frame.chain = std::string(64, '0');
  const std::string line = audit_line(Event{}, frame);
  EXPECT_EQ(linux_audit_message(line),
            "op=nohalt event=requested seq=7 sha256=" + sha256_hex(line));
}

}  // namespace
}  // namespace nohalt::policy
