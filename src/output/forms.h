// Records in their two forms. Pure functions: what goes in has passed the value
// rules of redaction, what comes out is safe to show and ends in a newline.
#pragma once

#include <string>

#include "src/output/record.h"

namespace nohalt::output {

[[nodiscard]] std::string hit_json(const Origin& origin, const Hit& hit);
[[nodiscard]] std::string notice_json(const Origin& origin, const Notice& notice);
[[nodiscard]] std::string receipt_json(const Origin& origin, const Receipt& receipt);

// TIME thread[tid] function file:line  message  name=value
[[nodiscard]] std::string hit_text(const Hit& hit, bool colour);
[[nodiscard]] std::string notice_text(const Notice& notice, bool colour);
[[nodiscard]] std::string receipt_text(const Receipt& receipt);

}  // namespace nohalt::output
