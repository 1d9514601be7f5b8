// The store is looked at several times a second: it is small, and a person decides.
#include "src/session/approval_wait.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "probes/target/process.h"
#include "src/base/escape.h"

namespace nohalt::session {

namespace {

using policy::EventKind;
using policy::RequestState;

constexpr std::chrono::milliseconds kTick{200};

bool is_readable(int fd) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

// Without root there is nobody to ask.
std::unexpected<Error> nowhere_to_ask(const policy::BoundRequest& bound, const Error& error) {
  return fail(ErrorCode::kDenied, "approval-required",
              fmt::format("Denied: {} requires the approval of {} other {}. {}", bound.rule,
                          bound.needed, bound.needed == 1 ? "person" : "people", error.message),
              error.hint);
}

}  // namespace

Result<std::unique_ptr<ApprovalWait>> ApprovalWait::begin(Run run,
                                                          const policy::BoundRequest& bound) {
  auto store = policy::RequestStore::open();
  if (!store) return nowhere_to_ask(bound, store.error());
  policy::ApprovalRequest request;
  NOHALT_TRY(request.made, store->now());
  NOHALT_TRY(const target::Process self, target::Process::open(::getpid()));
  request.id = run.id;
  request.host = run.caller.host;
  request.waits = self.identity();
  request.bound = bound;
  request.digest = policy::binding_digest(bound);
  NOHALT_CHECK(run.trail.append(run.event(EventKind::kApprovalRequested)));
  NOHALT_CHECK(store->add(request));
  std::unique_ptr<ApprovalWait> wait(new ApprovalWait(std::move(run), std::move(*store)));
  wait->tell(bound);
  return wait;
}

ApprovalWait::~ApprovalWait() {
  if (!is_open_) return;
  const Status closed = close(RequestState::kWithdrawn, EventKind::kApprovalWithdrawn);
  if (!closed) run_.talk.error(closed.error());
}

void ApprovalWait::tell(const policy::BoundRequest& bound) {
  const bool is_one = bound.needed == 1;
  const std::string policy = run_.policy_file.empty() ? "" : " --policy " + run_.policy_file;
  run_.talk.say(fmt::format(
      "nohalt: {} requires the approval of {} other {}. Request {} waits for it, {} minutes at "
      "most; Ctrl-C withdraws it.\nnohalt: whoever may approve it sees it with: sudo nohalt "
      "requests {}{}\nnohalt: and approves it with: sudo nohalt approve {}{}\n",
      make_printable(bound.rule), bound.needed, is_one ? "person" : "people", run_.id,
      policy::kRequestLasts.count(), run_.id, make_printable(policy), run_.id,
      make_printable(policy)));
}

// Who ends it first writes it down; where somebody else did, they have.
Status ApprovalWait::close(RequestState state, EventKind kind) {
  is_open_ = false;
  NOHALT_TRY(const bool is_first,
             store_.close(run_.id, state, policy::Person::of(run_.caller), {}));
  return is_first ? run_.trail.append(run_.event(kind)) : Status{};
}

Status ApprovalWait::expire() {
  NOHALT_CHECK(close(RequestState::kExpired, EventKind::kApprovalExpired));
  return fail(ErrorCode::kDenied, "request-expired",
              fmt::format("Request {} was not approved within {} minutes.", run_.id,
                          policy::kRequestLasts.count()),
              "Ask again when somebody is there to approve it.");
}

Result<bool> ApprovalWait::wait(StopRequest& stop, int pidfd) {
  std::size_t told = 0;
  while (true) {
    NOHALT_TRY(const policy::KnownRequest known, store_.find(run_.id));
    if (known.state == RequestState::kApproved) return true;
    if (known.state == RequestState::kExpired && !known.closing)
      return std::unexpected(expire().error());
    if (known.closing) {
      is_open_ = false;
      return fail(ErrorCode::kDenied, "request-denied",
                  fmt::format("Request {} is over: {}.", run_.id, policy::state_text(known)),
                  "Talk to them; then ask again.");
    }
    if (known.approvals.size() > told)
      run_.talk.say(fmt::format("nohalt: approved by {}; {} of {}\n",
                                make_printable(policy::person_text(known.approvals.back().by)),
                                known.approvals.size(), known.request.bound.needed));
    told = known.approvals.size();
    if (stop.wait(kTick, pidfd)) break;
    if (is_readable(pidfd))
      return fail(ErrorCode::kTargetGone, "target-gone",
                  "The process ended while its request waited for approval.");
  }
  NOHALT_CHECK(close(RequestState::kWithdrawn, EventKind::kApprovalWithdrawn));
  run_.talk.say(fmt::format("nohalt: request {} is withdrawn\n", run_.id));
  return false;
}

Result<policy::Approved> ApprovalWait::claim(const policy::BoundRequest& now) {
  const auto note = [this] { return run_.trail.append(run_.event(EventKind::kApprovalUsed)); };
  NOHALT_TRY(policy::Approved approved, store_.claim(run_.id, now, note));
  is_open_ = false;
  return approved;
}

}  // namespace nohalt::session
