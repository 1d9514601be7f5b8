// Each record passes redaction, then its form, then the sink.
#include "src/output/writer.h"

#include "src/output/forms.h"

namespace nohalt::output {

Writer::Writer(Sink sink, session::Format format, bool types, Origin origin,
               policy::ValueRules rules, Talk& talk)
    : sink_(std::move(sink)),
      format_(format),
      types_(types),
      origin_(std::move(origin)),
      talk_(talk),
      redactor_(std::move(rules)) {}

bool Writer::put(const std::string& line) {
  // On a terminal the live line stands where the record is to go.
  if (sink_.is_terminal()) talk_.clear_status();
  return sink_.put(line);
}

void Writer::hit(const Hit& hit) {
  Hit shown = hit;
  redactor_.redact(shown);
  const bool json = format_ == session::Format::kJson;
  const bool colour = sink_.is_terminal() && stdout_takes_colour();
  std::string line = json || shown.is_snapshot ? hit_json(origin_, shown) : hit_text(shown, colour);
  // Trees and stacks as text are made of the record, now as later from a file.
  const SnapshotStyle style{colour, types_};
  if (!json && shown.is_snapshot)
    line = *record_text(line, style);
  else if (!json && !shown.frames.empty())
    line += stack_text(hit_json(origin_, shown), style);
  if (put(line)) digest_.add(line);
}

void Writer::notice(const Notice& notice) {
  if (format_ == session::Format::kJson)
    put(notice_json(origin_, notice));
  else
    talk_.say(notice_text(notice, talk_.colour()));
}

void Writer::complete(Receipt& receipt) const {
  receipt.redactions = redactor_.counts();
  receipt.lost_output = sink_.lost();
  receipt.output_salt = digest_.salt();
}

void Writer::receipt(Receipt receipt) {
  if (format_ != session::Format::kJson) return say_receipt(std::move(receipt));
  complete(receipt);
  put(receipt_json(origin_, receipt));
}

void Writer::say_receipt(Receipt receipt) {
  complete(receipt);
  talk_.say(receipt_text(receipt));
}

}  // namespace nohalt::output
