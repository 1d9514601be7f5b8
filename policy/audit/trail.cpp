// An append takes the lock, reads the last line under it, writes once and syncs;
// copies are sent when the records are durable, so that nothing off the host speaks
// of a record that a power cut took back.
#include "policy/audit/trail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "policy/audit/folder.h"
#include "policy/audit/key.h"
#include "policy/audit/line.h"
#include "policy/audit/scan.h"
#include "policy/audit/trail_end.h"
#include "policy/audit/trail_file.h"
#include "src/base/boot_clock.h"
#include "src/base/time_text.h"

namespace nohalt::policy {

namespace {

constexpr std::chrono::seconds kLongestWaitForLock{5};
constexpr std::uint64_t kRecordsToACheckpoint = 1000;

// Lines that go on from a trail's end, to be written at once.
class Lines {
 public:
  // Of an open and locked trail.
  [[nodiscard]] static Result<Lines> after(int fd, const std::string& path,
                                           const std::string& key_folder);

  void add(const Event& event, const ValueRules& rules = ValueRules::builtin()) {
    take(audit_line(event, frame(), rules));
  }
  [[nodiscard]] Status add_checkpoint(const Caller& caller);

  [[nodiscard]] const TrailEnd& end() const { return end_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  // Whether the last line has stood unsigned for longer than this.
  [[nodiscard]] bool is_overdue(std::chrono::milliseconds longest) const;

 private:
  Lines(TrailEnd end, BootTime clock, std::string key_folder)
      : end_(std::move(end)), clock_(std::move(clock)), key_folder_(std::move(key_folder)) {
    if (end_.needs_newline) bytes_ = "\n";
  }
  [[nodiscard]] LineFrame frame() const {
    return {now_wall_ns(), clock_.ms,  clock_.boot_id, end_.seq + 1,
            end_.previous, end_.chain, end_.torn,      {}};
  }
  void take(std::string line) {
    end_ = end_after(end_, line);
    bytes_ += line + "\n";
    lines_.push_back(std::move(line));
  }

  TrailEnd end_;
  BootTime clock_;
  std::string key_folder_;
  std::string bytes_;
  std::vector<std::string> lines_;
};

Result<Lines> Lines::after(int fd, const std::string& path, const std::string& key_folder) {
  NOHALT_TRY(TrailEnd end, read_end(fd, path));
  NOHALT_TRY(BootTime clock, boot_time());
  return Lines(std::move(end), std::move(clock), key_folder);
}

Status Lines::add_checkpoint(const Caller& caller) {
  Event checkpoint;
  checkpoint.kind = EventKind::kCheckpoint;
  checkpoint.who = caller;
  checkpoint.policy_hash = end_.policy_hash;
  LineFrame unsigned_frame = frame();
  NOHALT_TRY(unsigned_frame.signature,
             sign(key_folder_, signed_message(audit_line(checkpoint, unsigned_frame))));
  take(audit_line(checkpoint, unsigned_frame));
  return {};
}

bool Lines::is_overdue(std::chrono::milliseconds longest) const {
  if (end_.is_checkpoint) return false;
  return end_.boot_id != clock_.boot_id || end_.boot_ms > clock_.ms ||
         clock_.ms - end_.boot_ms >= static_cast<std::uint64_t>(longest.count());
}

// The rules in force are not those that the trail named last.
void add_policy_change(Lines& lines, const Caller& who, const std::string& policy_hash) {
  const std::string before = lines.end().policy_hash;
  if (before.empty() || policy_hash.empty() || before == policy_hash) return;
  Event changed;
  changed.kind = EventKind::kPolicyChanged;
  changed.who = who;
  changed.policy_hash = policy_hash;
  changed.previous_policy_hash = before;
  lines.add(changed);
}

Result<PersonsPower> power_for(const TrailOptions& options) {
  if (options.is_persons) return PersonsPower::take();
  return PersonsPower::none();
}

}  // namespace

Result<std::string> Trail::path_of(const Caller& caller, const std::string& named) {
  if (!named.empty()) return named;
  if (caller.is_root()) return std::string{"/var/log/nohalt/audit.jsonl"};
  NOHALT_TRY(const std::string folder, user_state_folder());
  return folder + "/audit.jsonl";
}

Result<PersonsPower> Trail::power() const { return power_for(options_); }

Result<Trail> Trail::open(const Caller& caller, const std::string& named,
                          const TrailOptions& options) {
  NOHALT_TRY(std::string path, path_of(caller, named));
  NOHALT_TRY(const PersonsPower power, power_for(options));
  if (named.empty()) NOHALT_CHECK(make_folder(folder_of(path)));
  NOHALT_TRY(const UniqueFd fd, open_locked(path, kLongestWaitForLock));
  Trail trail(caller, std::move(path), options);
  if (options.key_folder.empty()) {
    NOHALT_TRY(trail.options_.key_folder, usual_key_folder(caller, power));
  }
  NOHALT_CHECK(ensure_key(trail.options_.key_folder));
  return trail;
}

Result<std::string> Trail::check(const Caller& caller, const std::string& named,
                                 const TrailOptions& options) {
  NOHALT_TRY(const std::string path, path_of(caller, named));
  NOHALT_TRY([[maybe_unused]] const PersonsPower power, power_for(options));
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    NOHALT_TRY(const UniqueFd fd, open_trail_file(path));
    return path;
  }
  // The nearest folder that exists is where the rest would be made.
  std::string folder = folder_of(path);
  while (named.empty() && folder != "/" && ::access(folder.c_str(), F_OK) != 0)
    folder = folder_of(folder);
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return unwritable_errno(path, "access to its folder");
  return path;
}

Status Trail::append(const Event& event) const {
  NOHALT_TRY(const std::vector<std::string> lines, write(event));
  return copy(lines);
}

Result<bool> Trail::append_alert(const Event& event) const {
  NOHALT_TRY(const std::vector<std::string> lines, write(event));
  NOHALT_CHECK(copy(lines));
  const auto is_event = [&](const std::string& line) {
    const auto fields = scan_line(line);
    return fields && fields->event == event_name(event.kind);
  };
  const auto alert = std::ranges::find_if(lines, is_event);
  return alert != lines.end() && copy_to_log(options_.places, *alert, Priority::kAlert);
}

Result<std::vector<std::string>> Trail::write(const Event& event) const {
  NOHALT_TRY([[maybe_unused]] const PersonsPower as_whom, power());
  NOHALT_TRY(UniqueFd fd, open_locked(path_, kLongestWaitForLock));
  if (rotate_if_due(fd.get())) {
    fd.reset();
    NOHALT_TRY(fd, open_locked(path_, kLongestWaitForLock));
  }
  NOHALT_TRY(Lines lines, Lines::after(fd.get(), path_, options_.key_folder));
  const std::uint64_t before = lines.end().seq;
  const bool overdue = lines.is_overdue(options_.longest_unsigned);
  Event whole = event;
  if (whole.policy_hash.empty()) whole.policy_hash = options_.policy_hash;
  add_policy_change(lines, whole.who, whole.policy_hash);
  lines.add(whole, options_.value_rules);
  const bool many = lines.end().seq / kRecordsToACheckpoint != before / kRecordsToACheckpoint;
  if (overdue || many || is_last_of_its_run(event.kind))
    NOHALT_CHECK(lines.add_checkpoint(caller_));
  NOHALT_CHECK(append_durably(fd.get(), path_, lines.bytes()));
  return lines.lines();
}

void Trail::keep_signed() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_kept_ < options_.longest_unsigned) return;
  last_kept_ = now;
  const auto as_whom = power();
  if (!as_whom) return;
  const auto fd = open_locked(path_, std::chrono::milliseconds{0});
  if (!fd) return;
  auto lines = Lines::after(fd->get(), path_, options_.key_folder);
  if (!lines || lines->end().is_checkpoint || !lines->add_checkpoint(caller_)) return;
  if (append_durably(fd->get(), path_, lines->bytes())) static_cast<void>(copy(lines->lines()));
}

// Where it cannot be done the trail goes on in the file that it has.
bool Trail::rotate_if_due(int fd) const {
  if (!is_rotation_due(fd, options_.rotation)) return false;
  auto lines = Lines::after(fd, path_, options_.key_folder);
  if (!lines) return false;
  if (!lines->end().is_checkpoint &&
      (!lines->add_checkpoint(caller_) || !append_durably(fd, path_, lines->bytes())))
    return false;
  static_cast<void>(copy(lines->lines()));
  const std::uint64_t last = lines->end().seq;
  Event rotated;
  rotated.kind = EventKind::kRotated;
  rotated.who = caller_;
  rotated.policy_hash = lines->end().policy_hash;
  rotated.previous_file = rotated_name(path_, last);
  rotated.previous_file.erase(0, rotated.previous_file.rfind('/') + 1);
  lines->add(rotated);
  return rotate(path_, last, lines->lines().back()).has_value();
}

Status Trail::copy(const std::vector<std::string>& lines) const {
  for (const std::string& line : lines) {
    copy_to_linux_audit(options_.places, line);
    const auto fields = scan_line(line);
    const bool wanted = options_.copy_every_record || (fields && fields->is_checkpoint());
    if (!wanted || copy_to_log(options_.places, line) || !options_.copy_every_record) continue;
    return fail(ErrorCode::kDenied, "audit-not-copied",
                "A copy of each audit record was asked for, and neither journald nor syslog took "
                "this one. Without its copy nothing is armed.",
                "See that journald or a syslog daemon runs, or take off --audit-syslog.");
  }
  return {};
}

}  // namespace nohalt::policy
