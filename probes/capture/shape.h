// What lies in the bytes of a value, as far as capturing it goes: which of them
// must not be copied, and which are pointers worth following.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/capture/containers/container.h"
#include "probes/capture/spot.h"

namespace nohalt::capture {

struct Lead {
  enum class Kind { kText, kCountedText, kRecord, kItems };
  Kind kind{};
  std::uint64_t at = 0;          // where the pointer is, or the text or container begins
  const Type* target = nullptr;  // what it leads to; the text's or container's own type
  std::string path;              // what redaction rules see
  containers::Text text = {};    // kCountedText; of kText the unit alone
  std::shared_ptr<const containers::Container> container = nullptr;  // kItems
  std::vector<Guard> guards = {};  // all must hold, or there is no such thing

  // The bytes that say where it leads.
  [[nodiscard]] std::uint64_t size() const;
  // Following it takes more than its bytes: it may lead into itself.
  [[nodiscard]] bool needs_address() const {
    return kind == Kind::kItems || (kind == Kind::kCountedText && text.may_be_short);
  }
};

struct Shape {
  std::vector<Hole> holes;  // sorted, apart from each other
  std::vector<Lead> leads;

  [[nodiscard]] bool needs_address() const {
    return std::any_of(leads.begin(), leads.end(),
                       [](const Lead& lead) { return lead.needs_address(); });
  }
};

struct ShapeRules {
  const Redaction& redaction;
  std::uint64_t bytes = 0;  // of the value that are captured
  std::uint32_t items = 20;
  bool follow_records = false;
  bool is_in_row = false;  // one of many
};

[[nodiscard]] Shape shape_of(const Type* type, const std::string& path, const ShapeRules& rules);
// Of a value of which nothing may be copied.
[[nodiscard]] Shape hidden_shape(const Type* type, const std::string& path, const Why& why);

// What redaction rules see of a container's items: `m[]`, but what is optional, one of
// several, or pointed to, goes by the name of what has it.
[[nodiscard]] std::string item_path(const std::string& path, Items::Kind kind);
// True where a hole covers what is needed to follow the lead.
[[nodiscard]] bool is_over(const std::vector<Hole>& holes, const Lead& lead);

}  // namespace nohalt::capture
