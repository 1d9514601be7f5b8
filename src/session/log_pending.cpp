// How a log run waits for a place that no file of the process has yet.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "src/base/escape.h"
#include "src/session/log_run.h"
#include "src/session/pending_wait.h"

namespace nohalt::session {

namespace {

// A program of one file has no loader that could bring another.
bool may_load_libraries(const Attachment& at) { return at.modules.images()->files().size() > 1; }

}  // namespace

Status LogRun::prepare_anew() {
  probes_.clear();
  permitted_.reset();
  classes_.reset();
  at_.reset();
  return prepare_all();
}

Status LogRun::prepare_or_wait() {
  Status ready = prepare_all();
  if (ready || !is_no_such_place(ready.error()) || !at_ || !may_load_libraries(*at_)) return ready;
  if (command_.pending) return wait_until_loaded(ready.error());
  Error error = ready.error();
  error.hint += std::string(error.hint.empty() ? "" : " ") +
                "If it is in a library that the process has yet to open: --pending --allow-stop "
                "waits for that.";
  return std::unexpected(std::move(error));
}

Status LogRun::wait_until_loaded(const Error& missing) {
  NOHALT_CHECK(check_worth_waiting(command_.probes));
  NOHALT_TRY(StopRequest stop, StopRequest::watch());
  stop_.emplace(std::move(stop));
  const auto longest = longest_wait(command_.probes);
  NOHALT_TRY(PendingWait wait, PendingWait::begin(command_.pid, longest));
  NOHALT_CHECK(trail_->append(event(policy::EventKind::kWaiting)));
  talk_.say(fmt::format(
      "nohalt: {}\nnohalt: waiting until pid {} opens a library that has it, at most {}; Ctrl-C "
      "ends the wait\n",
      make_printable(missing.message), command_.pid,
      std::chrono::duration_cast<std::chrono::seconds>(longest)));
  const auto ended = wait.wait(
      *stop_, [this] { return prepare_anew(); }, [this] { trail_->keep_signed(); });
  if (!ended) return std::unexpected(ended.error());
  withdrawn_ = !*ended;
  if (!withdrawn_) return {};
  talk_.say("nohalt: waits no longer; nothing was armed\n");
  return trail_->append(event(policy::EventKind::kDisarmed));
}

}  // namespace nohalt::session
