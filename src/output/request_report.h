// What `nohalt requests` found, and one request in full for who is to judge it.
// Threading: pure functions.
#pragma once

#include <string>
#include <vector>

#include "policy/approval/store.h"

namespace nohalt::output {

[[nodiscard]] std::string requests_text(const std::vector<policy::KnownRequest>& requests,
                                        const policy::Moment& now);
[[nodiscard]] std::string requests_json(const std::vector<policy::KnownRequest>& requests);

// All that an approval would bind, a line each.
[[nodiscard]] std::string request_text(const policy::KnownRequest& request,
                                       const policy::Moment& now);

}  // namespace nohalt::output
