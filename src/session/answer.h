// Writing the answer of a command that looks and ends (ps, doctor, audit).
#pragma once

#include <string>
#include <string_view>

#include "src/output/sink.h"
#include "src/session/commands.h"

namespace nohalt::session {

// To stdout or -o FILE; gives the exit status. Problems are told on stderr.
[[nodiscard]] int write_answer(const CommonOptions& common, const std::string& text);

// An answer that comes piece by piece, of any length, to a reader of any pace.
class LongAnswer {
 public:
  [[nodiscard]] static Result<LongAnswer> open(const CommonOptions& common);

  [[nodiscard]] Status put(std::string_view lines);
  // Until all of it is written.
  [[nodiscard]] Status finish();
  // The reader has gone: what more is put goes nowhere.
  [[nodiscard]] bool is_closed() const { return state_ == output::SinkState::kClosed; }

 private:
  explicit LongAnswer(output::Sink sink) : sink_(std::move(sink)) {}

  output::Sink sink_;
  output::SinkState state_ = output::SinkState::kOpen;
  std::size_t queued_ = 0;  // at most
};

}  // namespace nohalt::session
