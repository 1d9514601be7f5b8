// A reader that has gone (as `head` does) is no failure.
#include "src/session/answer.h"

#include "src/output/sink.h"
#include "src/output/talk.h"

namespace nohalt::session {

namespace {

Status write_whole(const CommonOptions& common, const std::string& text) {
  NOHALT_TRY(output::Sink sink, output::Sink::open(common.output_file));
  sink.put(text);
  NOHALT_TRY(const output::SinkState state, sink.drain(std::chrono::seconds{30}));
  static_cast<void>(state);
  return {};
}

}  // namespace

Result<LongAnswer> LongAnswer::open(const CommonOptions& common) {
  NOHALT_TRY(output::Sink sink, output::Sink::open(common.output_file));
  return LongAnswer(std::move(sink));
}

Status LongAnswer::put(std::string_view lines) {
  constexpr std::size_t kPiece = output::kLargestQueue / 8;
  if (is_closed()) return {};
  if (queued_ >= kPiece) NOHALT_CHECK(finish());
  sink_.put(lines);
  queued_ += lines.size();
  return {};
}

Status LongAnswer::finish() {
  constexpr std::chrono::hours kPatience{24};  // of a person with a pager
  queued_ = 0;
  if (is_closed()) return {};
  NOHALT_TRY(state_, sink_.drain(kPatience));
  return {};
}

int write_answer(const CommonOptions& common, const std::string& text) {
  const Status written = write_whole(common, text);
  if (written) return 0;
  output::Talk{}.error(written.error());
  return exit_status(written.error().code);
}

}  // namespace nohalt::session
