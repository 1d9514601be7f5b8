// One `nohalt log` or `nohalt snap` from its request to its receipt, with the audit trail kept on
// the way. The phases are separate functions so that the order can be read:
// nothing is armed before its record is durable, and whatever was armed is taken
// off and recorded however the run ends.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/audit/trails.h"
#include "probes/engines/inline/inline_engine.h"
#include "src/output/talk.h"
#include "src/output/writer.h"
#include "src/session/armed_probe.h"
#include "src/session/attach.h"
#include "src/session/call_joiner.h"
#include "src/session/core_writer.h"
#include "src/session/object_classes.h"
#include "src/session/other_runs.h"
#include "src/session/permission.h"
#include "src/session/prepare.h"
#include "src/session/stop_request.h"

namespace nohalt::session {

class LogRun {
 public:
  LogRun(const LogCommand& command, output::Talk& talk);

  // Gives the exit status.
  [[nodiscard]] int run();

 private:
  // Why the loop ended, and what that means for the exit status.
  struct Ending {
    std::string outcome;
    policy::EventKind event = policy::EventKind::kDisarmed;
    bool target_gone = false;
  };

  // Of what ended before anything was looked at.
  [[nodiscard]] std::string rule_at_admission() const;
  [[nodiscard]] Status prepare_all();
  [[nodiscard]] Status prepare_or_wait();
  [[nodiscard]] Status wait_until_loaded(const Error& missing);
  [[nodiscard]] Status prepare_anew();
  [[nodiscard]] Status decide();
  [[nodiscard]] Status decide_with_others();
  [[nodiscard]] Status grant(const policy::Approved* approved);
  [[nodiscard]] Status raise_alarm();
  [[nodiscard]] Status check_core() const;
  void redact_messages();
  [[nodiscard]] Status arm();
  [[nodiscard]] Ending follow();
  [[nodiscard]] Status finish(const Ending& ending);

  [[nodiscard]] std::optional<Ending> ending_of(engines::RunState state) const;
  [[nodiscard]] bool all_hits_reached() const;
  [[nodiscard]] int status_of(const Ending& ending) const;
  [[nodiscard]] engines::RunToArm run_to_arm() const;
  [[nodiscard]] policy::Request request() const;
  [[nodiscard]] Result<policy::BoundRequest> to_approve() const;
  [[nodiscard]] output::Receipt receipt(const Ending& ending,
                                        const Result<engines::RemovalProof>& proof) const;
  [[nodiscard]] output::Counters total() const;
  [[nodiscard]] policy::Event event(policy::EventKind kind) const;
  [[nodiscard]] Status record_end(const Ending& ending, const output::Receipt& receipt);
  void say_armed();
  void warn_of_missed_sites();
  void explain(const Ending& ending);
  void notice(const std::string& reason, const std::string& message);
  void write_hit(const engines::RawRecord& record);
  void write_call(const engines::RawRecord& record);
  void say_traced(const PreparedProbe& probe);
  void write_core(const output::Hit& hit, const CoreContents& contents);
  void show_status();

  const LogCommand& command_;
  output::Talk& talk_;
  std::string id_;
  policy::Caller caller_;
  std::optional<policy::Trails> trail_;
  std::unique_ptr<Attachment> at_;
  std::unique_ptr<ObjectClasses> classes_;
  std::vector<PreparedProbe> probes_;
  std::optional<Permitted> permitted_;  // its probes are in probes_
  std::optional<policy::Decision> decision_;
  std::unique_ptr<policy::LedgerPlace> ledger_place_;
  std::optional<output::Writer> writer_;
  std::optional<StopRequest> stop_;
  bool withdrawn_ = false;  // a stop was wished while something was waited for
  std::unique_ptr<engines::ArmedRun> armed_;
  std::vector<SiteIndex> sites_;
  std::optional<HitMaker> maker_;
  std::optional<CallJoiner> calls_;
  std::optional<CoreWriter> core_;
  Status core_status_;
  std::vector<std::uint64_t> written_;  // hits, by probe
  std::chrono::steady_clock::time_point started_;
};

}  // namespace nohalt::session
