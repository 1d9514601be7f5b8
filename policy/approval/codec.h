// Requests, approvals and closings as the JSON that their files hold. A text that is
// not wholly one of them is none.
//
// Threading: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/approval/request.h"

namespace nohalt::policy {

[[nodiscard]] std::string encode(const ApprovalRequest& request);
[[nodiscard]] std::string encode(const Approval& approval);
[[nodiscard]] std::string encode(const Closing& closing);
[[nodiscard]] std::string encode(const BoundRequest& bound);

// Nothing where the digest is not that of what it holds.
[[nodiscard]] std::optional<ApprovalRequest> decode_request(std::string_view text);
[[nodiscard]] std::optional<Approval> decode_approval(std::string_view text);
[[nodiscard]] std::optional<Closing> decode_closing(std::string_view text);

// The names of the members that differ.
[[nodiscard]] std::vector<std::string> differing(const BoundRequest& one,
                                                 const BoundRequest& other);

}  // namespace nohalt::policy
