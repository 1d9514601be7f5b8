// The waiting side of an approval: what a run does where its role needs the leave of
// other people. The request is in the audit trail before it is in the store. Whatever
// ends the run before the approval is used withdraws the request.
//
// Errors are of kind kDenied: approval-required (there is no store), request-denied,
// request-expired, and those of the store; target-gone.
// Threading: one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "policy/approval/store.h"
#include "policy/audit/trails.h"
#include "src/output/talk.h"
#include "src/session/stop_request.h"

namespace nohalt::session {

class ApprovalWait {
 public:
  struct Run {
    std::string id;  // of the run, and so of its request
    const policy::Caller& caller;
    const policy::Trails& trail;
    output::Talk& talk;
    std::function<policy::Event(policy::EventKind)> event;
    std::string policy_file;  // that approvers must name too; empty: none
  };

  // Makes the request known and tells what to say to whom.
  [[nodiscard]] static Result<std::unique_ptr<ApprovalWait>> begin(
      Run run, const policy::BoundRequest& bound);
  ~ApprovalWait();
  ApprovalWait(const ApprovalWait&) = delete;
  ApprovalWait& operator=(const ApprovalWait&) = delete;

  // False: a stop was wished, and the request is withdrawn.
  [[nodiscard]] Result<bool> wait(StopRequest& stop, int pidfd);
  // Uses the approval up, where what would be armed `now` is what was approved.
  [[nodiscard]] Result<policy::Approved> claim(const policy::BoundRequest& now);

 private:
  ApprovalWait(Run run, policy::RequestStore store)
      : run_(std::move(run)), store_(std::move(store)) {}

  [[nodiscard]] Status close(policy::RequestState state, policy::EventKind kind);
  [[nodiscard]] Status expire();
  void tell(const policy::BoundRequest& bound);

  Run run_;
  policy::RequestStore store_;
  bool is_open_ = true;
};

}  // namespace nohalt::session
