// Records on their way out: redacted by value, made safe to show, put into the
// chosen form, queued in the sink.
//
// In the JSON form everything, the receipt too, is a record on stdout. In the
// text form stdout has the messages, and notices and receipt go to stderr.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "policy/audit/digest.h"
#include "src/output/record.h"
#include "src/output/redact.h"
#include "src/output/sink.h"
#include "src/output/talk.h"
#include "src/session/commands.h"

namespace nohalt::output {

class Writer {
 public:
  // `talk` must outlive the writer.
  Writer(Sink sink, session::Format format, bool types, Origin origin, policy::ValueRules rules,
         Talk& talk);

  void hit(const Hit& hit);
  void notice(const Notice& notice);
  // The last record. Adds the writer's own counts: redactions, lost output, salt.
  void receipt(Receipt receipt);
  // For people, where the record of it could not be written.
  void say_receipt(Receipt receipt);

  // Call often: see Sink. In between the live status may be shown.
  [[nodiscard]] Result<SinkState> pump() { return sink_.pump(); }
  [[nodiscard]] Result<SinkState> drain(std::chrono::milliseconds patience) {
    return sink_.drain(patience);
  }

  [[nodiscard]] const std::map<std::string, std::uint64_t>& redactions() const {
    return redactor_.counts();
  }
  [[nodiscard]] std::uint64_t lost() const { return sink_.lost(); }
  [[nodiscard]] std::uint64_t bytes_written() const { return sink_.bytes_written(); }
  // Over all hits that the sink took, for the audit trail.
  [[nodiscard]] std::string digest() const { return digest_.hex(); }

 private:
  bool put(const std::string& line);  // false: lost
  void complete(Receipt& receipt) const;

  Sink sink_;
  session::Format format_;
  bool types_;  // text of snapshots: with types
  Origin origin_;
  Talk& talk_;
  policy::OutputDigest digest_;
  ValueRedactor redactor_;
};

}  // namespace nohalt::output
