// The requests of this host that wait for approval: /var/lib/nohalt/requests, root's.
//
// A request is a set of files, each written once (files.h):
//   ID.request         what is asked
//   ID.approval-RANDOM one for each time that someone approved
//   ID.closing         how it ended: whoever makes this file first ended it
// So an approval is used once, and a denial that comes first cannot be passed by.
// Requests of which a file is damaged are left aside and named. What has ended, or is
// damaged, is taken away a day later, when the next request is made; the audit trail keeps it.
//
// Errors are of kind kDenied and those of files.h, and: own-request, request-ended,
// request-exists, not-approved, approval-stale; no-such-request of kind kUsage.
// Threading and processes: any number of each; nothing here waits.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policy/approval/approved.h"
#include "policy/approval/files.h"
#include "policy/approval/request.h"

namespace nohalt::policy {

struct KnownRequest {
  ApprovalRequest request;
  RequestState state = RequestState::kWaiting;
  std::vector<Approval> approvals;  // that count now, or counted when it ended
  std::optional<Closing> closing;
};

struct KnownRequests {
  std::vector<KnownRequest> requests;  // the oldest first
  std::vector<std::string> damaged;    // names of files that are none
};

struct StoreOptions {
  std::string folder = "/var/lib/nohalt/requests";
  uid_t owner = 0;
  std::function<Result<Moment>()> clock = now_moment;
};

class RequestStore {
 public:
  [[nodiscard]] static Result<RequestStore> open(StoreOptions options = {});

  [[nodiscard]] Status add(const ApprovalRequest& request) const;
  [[nodiscard]] Result<KnownRequests> list() const;
  [[nodiscard]] Result<KnownRequest> find(const std::string& id) const;

  // `known` as `find` gave it and as the approver saw it.
  [[nodiscard]] Status approve(const KnownRequest& known, const Person& by,
                               const std::string& reason) const;
  // Ends it. False: it has ended already.
  [[nodiscard]] Result<bool> close(const std::string& id, RequestState state, const Person& by,
                                   const std::string& reason) const;
  // Uses up the approval of a request that is still what was approved. Of several that
  // try, one succeeds. `note` writes it down, when nothing speaks against it any more and
  // before it is used up: so that a use that was cut short is known.
  [[nodiscard]] Result<Approved> claim(const std::string& id, const BoundRequest& now,
                                       const std::function<Status()>& note = {}) const;

  [[nodiscard]] Result<Moment> now() const { return options_.clock(); }

 private:
  RequestStore(StoreOptions options, OnceFiles files)
      : options_(std::move(options)), files_(std::move(files)) {}

  [[nodiscard]] Result<KnownRequest> read(const std::string& id,
                                          const std::vector<std::string>& names,
                                          std::vector<std::string>& damaged) const;
  void remove_old() const;

  StoreOptions options_;
  OnceFiles files_;
};

// Reason own-request.
[[nodiscard]] Status check_another(const ApprovalRequest& request, const Person& by);

// "it was denied by carol: too broad", "it waits"; one clause.
[[nodiscard]] std::string state_text(const KnownRequest& known);

}  // namespace nohalt::policy
