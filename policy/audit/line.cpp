// nlohmann::json keeps keys sorted by their bytes, which for our ASCII keys is
// RFC 8785's order, and escapes strings as section 3.2.2.2 asks. Numbers are
// whole and within 2^53, or they are written as text, so that the number rules
// of section 3.2.2.3 have nothing to decide.
#include "policy/audit/line.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/audit/digest.h"
#include "policy/audit/scan.h"
#include "src/base/escape.h"
#include "src/base/time_text.h"

namespace nohalt::policy {

namespace {

using nlohmann::json;
using Counts = std::map<std::string, std::uint64_t>;

json number(std::uint64_t value) {
  constexpr std::uint64_t kLargestExact = (1ULL << 53) - 1;
  if (value > kLargestExact) return std::to_string(value);
  return value;
}

std::string hex(std::uint64_t value) { return fmt::format("0x{:x}", value); }

// Texts of others: value rules first, then nothing that drives a terminal.
class Texts {
 public:
  Texts(const ValueRules& rules, Counts counts)
      : rules_(rules), for_names_(rules.for_names()), counts_(std::move(counts)) {}

  // What somebody wrote.
  [[nodiscard]] std::string said(std::string_view text) { return safe(text, rules_); }
  // What something is called.
  [[nodiscard]] std::string named(std::string_view text) { return safe(text, for_names_); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  std::string safe(std::string_view text, const ValueRules& rules) {
    RedactedText redacted = rules.redact(text);
    for (const auto& [name, count] : redacted.counts) counts_[name] += count;
    return escape_untrusted(redacted.text).text;
  }

  const ValueRules& rules_;
  ValueRules for_names_;
  Counts counts_;
};

// Adds only what is there.
void put(json& object, const char* key, std::string text) {
  if (!text.empty()) object[key] = std::move(text);
}

// Each as `safe` makes it.
template <class Safe>
void put(json& object, const char* key, const std::vector<std::string>& texts, Safe safe) {
  for (const std::string& text : texts) object[key].push_back(safe(text));
}

json who(const Caller& caller) {
  const ValueRules rules = ValueRules::builtin();
  Texts texts(rules, {});
  json object{{"uid", caller.uid}};
  put(object, "user", texts.named(caller.user));
  if (caller.login_uid) object["loginuid"] = *caller.login_uid;
  if (caller.session) object["session"] = *caller.session;
  put(object, "tty", texts.named(caller.tty));
  put(object, "host", texts.named(caller.host));
  return object;
}

json what(const Event& event, Texts& texts) {
  const auto said = [&](const std::string& text) { return texts.said(text); };
  const auto named = [&](const std::string& text) { return texts.named(text); };
  json object = json::object();
  if (event.target) {
    const TargetFacts& target = *event.target;
    object["pid"] = target.identity.pid;
    // Of a process that was not there no more is known.
    if (target.identity.start_time != 0) {
      object["start_time"] = number(target.identity.start_time);
      object["uid"] = target.uids[0];
    }
    put(object, "exe", texts.named(target.exe_path));
    put(object, "build_id", escape_untrusted(target.build_id).text);
  }
  for (const std::uint64_t address : event.addresses) object["addresses"].push_back(hex(address));
  put(object, "program_hash", event.program_hash);
  put(object, "kinds", event.kinds, named);
  put(object, "locations", event.locations, named);
  put(object, "places", event.places, named);
  put(object, "messages", event.messages, said);
  put(object, "conditions", event.conditions, said);
  put(object, "captures", event.captures, said);
  put(object, "read", texts.named(event.read));
  put(object, "previous_file", texts.named(event.previous_file));
  return object;
}

json asked_limits(const AskedLimits& asked) {
  json object = json::object();
  if (asked.hits_per_second) object["hits_per_second"] = number(*asked.hits_per_second);
  if (asked.bytes_per_second) object["bytes_per_second"] = number(*asked.bytes_per_second);
  if (asked.lease) object["lease"] = duration_text(*asked.lease);
  if (asked.cpu_share) object["cpu"] = percent_text(*asked.cpu_share);
  if (asked.hold) object["hold"] = duration_text(*asked.hold);
  return object;
}

json granted_limits(const Limits& granted) {
  return {{"hits_per_second", number(granted.hits_per_second)},
          {"bytes_per_second", number(granted.bytes_per_second)},
          {"lease", duration_text(granted.lease)},
          {"cpu", percent_text(granted.cpu_share)},
          {"hold", duration_text(granted.hold)}};
}

json under_rule(const Event& event, const Counts& redactions) {
  json object = json::object();
  put(object, "rule", event.rule);
  put(object, "policy_hash", event.policy_hash);
  put(object, "previous_policy_hash", event.previous_policy_hash);
  for (const AskedLimits& asked : event.asked) object["asked"].push_back(asked_limits(asked));
  for (const Limits& granted : event.granted) object["granted"].push_back(granted_limits(granted));
  for (const auto& [name, count] : redactions) object["redactions"][name] = number(count);
  return object;
}

json left(const Event& event, Texts& texts) {
  json object = json::object();
  if (event.records) object["records"] = number(*event.records);
  if (event.bytes) object["bytes"] = number(*event.bytes);
  put(object, "digest", event.output_digest);
  put(object, "left_behind", event.left_behind,
      [&](const std::string& text) { return texts.named(text); });
  return object;
}

}  // namespace

std::string_view event_name(EventKind kind) {
  switch (kind) {
    case EventKind::kRequested:
      return "requested";
    case EventKind::kWaiting:
      return "waiting";
    case EventKind::kDenied:
      return "denied";
    case EventKind::kArmed:
      return "armed";
    case EventKind::kHitSummary:
      return "hit-summary";
    case EventKind::kDisarmed:
      return "disarmed";
    case EventKind::kExpired:
      return "expired";
    case EventKind::kRemovalRequested:
      return "removal-requested";
    case EventKind::kOrphanRemoved:
      return "orphan-removed";
    case EventKind::kPolicyChanged:
      return "policy-changed";
    case EventKind::kAuditRead:
      return "audit-read";
    case EventKind::kCheckpoint:
      return "checkpoint";
    case EventKind::kRotated:
      return "rotated";
    case EventKind::kApprovalRequested:
      return "approval-requested";
    case EventKind::kApproved:
      return "approved";
    case EventKind::kApprovalDenied:
      return "approval-denied";
    case EventKind::kApprovalWithdrawn:
      return "approval-withdrawn";
    case EventKind::kApprovalExpired:
      return "approval-expired";
    case EventKind::kApprovalUsed:
      return "approval-used";
    case EventKind::kGlassBroken:
      return "glass-broken";
  }
  return "unknown";
}

bool is_last_of_its_run(EventKind kind) {
  return kind == EventKind::kDenied || kind == EventKind::kDisarmed ||
         kind == EventKind::kExpired || kind == EventKind::kOrphanRemoved ||
         kind == EventKind::kAuditRead;
}

std::string audit_line(const Event& event, const LineFrame& frame, const ValueRules& rules) {
  Texts texts(rules, event.redactions);
  json why = json::object();
  put(why, "reason", texts.said(event.reason));
  put(why, "ticket", texts.named(event.ticket));
  put(why, "denial", texts.named(event.denial));
  json line{{"schema", 1},
            {"event", event_name(event.kind)},
            {"time", rfc3339_utc(frame.wall_ns)},
            {"boot_ms", number(frame.boot_ms)},
            {"seq", number(frame.seq)},
            {"prev", frame.previous},
            {"chain", frame.chain},
            {"who", who(event.who)}};
  put(line, "run", event.run);
  put(line, "boot_id", frame.boot_id);
  put(line, "torn", frame.torn);
  if (!frame.signature.signature.empty())
    line["signed"] = {{"key", frame.signature.key}, {"signature", frame.signature.signature}};
  const auto put_object = [&](const char* key, json object) {
    if (!object.empty()) line[key] = std::move(object);
  };
  put_object("what", what(event, texts));
  put_object("why", std::move(why));
  put_object("left", left(event, texts));
  put_object("under", under_rule(event, texts.counts()));
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string signed_message(std::string_view line) {
  constexpr std::string_view kPurpose = "nohalt audit checkpoint\n";
  std::string message{kPurpose};
  const auto fields = scan_line(line);
  if (!fields || fields->signed_part.empty()) return message.append(line);
  // The member with its name, and the comma behind it: `time` always follows.
  const auto value = static_cast<std::size_t>(fields->signed_part.data() - line.data());
  const std::size_t begin = value - std::string_view{"\"signed\":"}.size();
  const std::size_t end = value + fields->signed_part.size() + 1;
  return message.append(line.substr(0, begin)).append(line.substr(end));
}

std::string chain_after(std::string_view chain, std::string_view line_hash) {
  return sha256_hex(std::string{chain}.append(line_hash));
}

}  // namespace nohalt::policy
