// `nohalt show`: the records of a file as text. Needs no process and no debug
// information; notices and receipts are passed over.
#include <fmt/format.h>

#include "policy/access/persons_power.h"
#include "src/base/escape.h"
#include "src/output/forms.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

Result<std::string> text_of_file(const ShowCommand& command) {
  const auto content = policy::read_persons_file(command.file);
  if (!content)
    return fail(ErrorCode::kUsage, "unreadable-record-file",
                make_printable(content.error().message) + ".",
                "Give show the file that -o FILE of snap or log has kept.");
  const output::SnapshotStyle style{
      .colour = command.common.output_file.empty() && output::stdout_takes_colour(),
      .types = command.types};
  std::string text;
  std::string_view rest = *content;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto shown = output::record_text(line, style)) text += *shown;
  }
  if (!text.empty()) return text;
  return fail(ErrorCode::kUsage, "no-records",
              "There is no snapshot and no message in " + make_printable(command.file) + ".",
              "nohalt snap -p PID LOCATION -o FILE keeps one; of log, --format json does.");
}

}  // namespace

int run_show(const ShowCommand& command) {
  const auto text = text_of_file(command);
  if (text) return write_answer(command.common, *text);
  output::Talk{}.error(text.error());
  return exit_status(text.error().code);
}

}  // namespace nohalt::session
