// Copies of records to where they can be kept off the host: journald, or else the
// syslog socket; and the Linux audit system. Where one is not there, nothing is
// sent and that is no error: the trail itself is what arming relies on.
//
// Threading: plain functions; none waits.
#pragma once

#include <string>
#include <string_view>

namespace nohalt::policy {

struct CopyPlaces {
  std::string journal = "/run/systemd/journal/socket";
  std::string syslog = "/dev/log";
  bool linux_audit = true;
};

enum class Priority { kNotice, kAlert };

// `line`: of a trail. True: journald or syslog took it.
[[nodiscard]] bool copy_to_log(const CopyPlaces& places, std::string_view line,
                               Priority priority = Priority::kNotice);

// As AUDIT_USER, to which the kernel adds who sent it.
void copy_to_linux_audit(const CopyPlaces& places, std::string_view line);

// The texts that are sent, apart so that they can be looked at.
[[nodiscard]] std::string journal_datagram(std::string_view message, std::string_view event,
                                           Priority priority = Priority::kNotice);
[[nodiscard]] std::string syslog_datagram(std::string_view message,
                                          Priority priority = Priority::kNotice);
[[nodiscard]] std::string linux_audit_message(std::string_view line);
// A line that a socket will not take whole: its number and hash.
[[nodiscard]] std::string short_copy(std::string_view line);

}  // namespace nohalt::policy
