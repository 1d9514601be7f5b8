// Shows that a request was approved by as many as it takes, and that the approval is
// used up for whoever holds this. Only the store makes one.
//
// Threading: immutable.
#pragma once

#include <utility>
#include <vector>

#include "policy/approval/request.h"

namespace nohalt::policy {

class Approved {
 public:
  [[nodiscard]] const ApprovalRequest& request() const { return request_; }
  [[nodiscard]] const std::vector<Approval>& approvals() const { return approvals_; }

 private:
  friend class RequestStore;
  Approved(ApprovalRequest request, std::vector<Approval> approvals)
      : request_(std::move(request)), approvals_(std::move(approvals)) {}

  ApprovalRequest request_;
  std::vector<Approval> approvals_;
};

}  // namespace nohalt::policy
