// journald's native protocol is one datagram of NAME=value lines (systemd,
// "Native Journal Protocol"); syslog's local one is "<PRI>date tag: text" (RFC 3164
// as /dev/log has it). A record holds no newline, so neither can be forged by it.
// The Linux audit system takes netlink messages of type AUDIT_USER; its fields are
// words here, since what tells records apart is in the trail under the same hash.
#include "policy/audit/copies.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "policy/audit/digest.h"
#include "policy/audit/scan.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

namespace {

constexpr int kFacility = LOG_AUTHPRIV;

int number_of(Priority priority) { return priority == Priority::kAlert ? LOG_ALERT : LOG_NOTICE; }

enum class Sent { kYes, kNo, kTooLarge };

Sent send_to(const std::string& path, const std::string& datagram) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return Sent::kNo;
  path.copy(address.sun_path, path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Sent::kNo;
  const ssize_t sent = ::sendto(fd.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (sent == static_cast<ssize_t>(datagram.size())) return Sent::kYes;
  return sent < 0 && errno == EMSGSIZE ? Sent::kTooLarge : Sent::kNo;
}

}  // namespace

std::string journal_datagram(std::string_view message, std::string_view event, Priority priority) {
  return fmt::format(
      "MESSAGE={}\nPRIORITY={}\nSYSLOG_FACILITY={}\nSYSLOG_IDENTIFIER=nohalt\nNOHALT_EVENT={}\n",
      message, number_of(priority), kFacility >> 3, event);
}

std::string syslog_datagram(std::string_view message, Priority priority) {
  const time_t now = ::time(nullptr);
  tm local{};
  ::localtime_r(&now, &local);
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("<{}>{} {:2} {:02}:{:02}:{:02} nohalt[{}]: {}",
                     kFacility | number_of(priority), kMonths[local.tm_mon], local.tm_mday,
                     local.tm_hour, local.tm_min, local.tm_sec, ::getpid(), message);
}

std::string short_copy(std::string_view line) {
  const auto fields = scan_line(line);
  return fmt::format(R"({{"event":"{}","seq":{},"sha256":"{}","too_large":true}})",
                     fields ? fields->event : "", fields ? fields->seq : 0, sha256_hex(line));
}

bool copy_to_log(const CopyPlaces& places, std::string_view line, Priority priority) {
  const auto fields = scan_line(line);
  const std::string_view event = fields ? fields->event : std::string_view{};
  const std::string brief = short_copy(line);
  Sent sent = send_to(places.journal, journal_datagram(line, event, priority));
  if (sent == Sent::kTooLarge)
    sent = send_to(places.journal, journal_datagram(brief, event, priority));
  if (sent == Sent::kYes) return true;
  sent = send_to(places.syslog, syslog_datagram(line, priority));
  if (sent == Sent::kTooLarge) sent = send_to(places.syslog, syslog_datagram(brief, priority));
  return sent == Sent::kYes;
}

std::string linux_audit_message(std::string_view line) {
  const auto fields = scan_line(line);
  return fmt::format("op=nohalt event={} seq={} sha256={}", fields ? fields->event : "unknown",
                     fields ? fields->seq : 0, sha256_hex(line));
}

void copy_to_linux_audit(const CopyPlaces& places, std::string_view line) {
  if (!places.linux_audit) return;
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
  if (!fd.valid()) return;
  const std::string text = linux_audit_message(line);
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(text.size() + 1));
  header.nlmsg_type = AUDIT_USER;
  header.nlmsg_flags = NLM_F_REQUEST;
  std::string message(NLMSG_SPACE(text.size() + 1), '\0');
  std::memcpy(message.data(), &header, sizeof(header));
  text.copy(message.data() + NLMSG_HDRLEN, text.size());
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  [[maybe_unused]] const ssize_t sent =
      ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
}

}  // namespace nohalt::policy
