// The audit trail: a file to which every run appends what it asked for and did,
// each line carrying the SHA-256 of the one before, so that a line changed, taken
// out or put in later shows. Checkpoints among the lines sign all that stands
// before them and are copied to journald or syslog. Against whoever may write the
// file only a checkpoint that was kept elsewhere is evidence: the chain can be built
// anew, and signed anew, by its owner.
//
// An append is durable (fsync) when it returns, which is why it comes before
// anything is armed. A power cut can leave the last line half-written; the next
// append keeps those bytes, names their hash in its field `torn`, and goes on
// from the last whole line.
//
// Errors are of kind kDenied, reason audit-unwritable or audit-not-copied: no
// record, no probe.
// Threading and processes: appends of any number of processes are serialised
// by a lock on the file; a Trail is used from one thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "policy/access/persons_power.h"
#include "policy/audit/copies.h"
#include "policy/audit/event.h"
#include "policy/audit/rotation.h"
#include "policy/redaction/value_rules.h"
#include "src/base/result.h"

namespace nohalt::policy {

struct TrailOptions {
  ValueRules value_rules = ValueRules::builtin();  // in force: what they hide is not written
  std::string policy_hash;                         // of events that name none
  bool is_persons = false;  // its file is one that somebody named, and as theirs it is opened
  bool copy_every_record = false;  // to journald or syslog; what it will not take is an error
  std::string key_folder;          // empty: the usual one
  CopyPlaces places;
  RotationRule rotation;
  std::chrono::milliseconds longest_unsigned{std::chrono::seconds{60}};
};

class Trail {
 public:
  // The file that --audit or NOHALT_AUDIT names, or else the caller's own:
  // /var/log/nohalt/audit.jsonl for root, $XDG_STATE_HOME/nohalt/audit.jsonl
  // (or ~/.local/state/...) for others. The usual folder is made (0700) where
  // it is missing, and so is the key; a named file's folder must exist. Shows that
  // the file can be written. Behind sudo a person's trail is signed by a key of theirs:
  // root's would vouch for lines that they may write.
  [[nodiscard]] static Result<Trail> open(const Caller& caller, const std::string& named,
                                          const TrailOptions& options = {});

  // Where open would look for it.
  [[nodiscard]] static Result<std::string> path_of(const Caller& caller, const std::string& named);

  // Whether open would succeed, without making anything; gives the path.
  [[nodiscard]] static Result<std::string> check(const Caller& caller, const std::string& named,
                                                 const TrailOptions& options = {});

  // Writes a policy-changed before it where its policy is not that of the last
  // record that names one, and a checkpoint behind it where one is due: after a
  // record that is the last of its run, each 1,000 records, or when the last record
  // has stood unsigned for too long.
  [[nodiscard]] Status append(const Event& event) const;

  // As append; and sends the record at once, as an alert. False: neither journald nor
  // syslog took it.
  [[nodiscard]] Result<bool> append_alert(const Event& event) const;

  // To be called often by a long run: does nothing until the time is over that
  // records may stand unsigned. Waits for no other writer. What hinders it hinders
  // the record of the run's end too, which tells of it.
  void keep_signed();

  // From now on; those of its options were in force until now.
  void set_value_rules(const ValueRules& rules) { options_.value_rules = rules; }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Trail(Caller caller, std::string path, TrailOptions options)
      : caller_(std::move(caller)), path_(std::move(path)), options_(std::move(options)) {}

  // Of whom its files are, while it lives.
  [[nodiscard]] Result<PersonsPower> power() const;
  // Gives what was written.
  [[nodiscard]] Result<std::vector<std::string>> write(const Event& event) const;
  [[nodiscard]] Status copy(const std::vector<std::string>& lines) const;
  // True: the trail goes on in a new file.
  [[nodiscard]] bool rotate_if_due(int fd) const;

  Caller caller_;
  std::string path_;
  TrailOptions options_;
  std::chrono::steady_clock::time_point last_kept_ = std::chrono::steady_clock::now();
};

}  // namespace nohalt::policy
