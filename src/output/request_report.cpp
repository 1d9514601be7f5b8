// The table names what tells requests apart; the block says what to judge one by.
#include "src/output/request_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/limits/lowering.h"
#include "src/base/escape.h"
#include "src/base/time_text.h"
#include "src/output/json.h"
#include "src/output/table.h"

namespace nohalt::output {

namespace {

using policy::KnownRequest;

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string all;
  for (const std::string& text : texts)
    if (!text.empty()) all += (all.empty() ? "" : std::string{between}) + text;
  return all;
}

bool is_open(const KnownRequest& known) {
  return known.state == policy::RequestState::kWaiting ||
         known.state == policy::RequestState::kApproved;
}

// Whole minutes that it still waits, or that its oldest approval still counts.
std::string time_left(const KnownRequest& known, const policy::Moment& now) {
  if (!is_open(known)) return "-";
  std::chrono::milliseconds left{0};
  if (const auto age = policy::age_of(known.request.made, now)) left = policy::kRequestLasts - *age;
  if (known.state == policy::RequestState::kApproved) {
    left = policy::kApprovalLasts;
    for (const policy::Approval& approval : known.approvals)
      if (const auto age = policy::age_of(approval.given, now))
        left = std::min<std::chrono::milliseconds>(left, policy::kApprovalLasts - *age);
  }
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(left);
  return fmt::format("{}m", std::max<std::int64_t>(minutes.count(), 0));
}

std::string approvals_text(const KnownRequest& known) {
  return fmt::format("{}/{}", known.approvals.size(), known.request.bound.needed);
}

std::vector<std::string> names_of(const std::vector<policy::Right>& rights) {
  std::vector<std::string> names;
  for (const policy::Right right : rights) names.emplace_back(policy::right_name(right));
  return names;
}

std::string limits_text(const policy::Limits& limits) {
  return fmt::format("{}/s, {} B/s, for {}, cpu {}, hold {}", limits.hits_per_second,
                     limits.bytes_per_second, policy::duration_text(limits.lease),
                     policy::percent_text(limits.cpu_share), policy::duration_text(limits.hold));
}

Json limits_json(const policy::Limits& limits) {
  ObjectBuilder object;
  object.number("hits_per_second", limits.hits_per_second);
  object.number("bytes_per_second", limits.bytes_per_second);
  object.text("lease", policy::duration_text(limits.lease));
  object.text("cpu", policy::percent_text(limits.cpu_share));
  object.text("hold", policy::duration_text(limits.hold));
  return object.finish();
}

Json person_json(const policy::Person& person) {
  ObjectBuilder object;
  object.text("name", person.name);
  object.number("uid", person.uid);
  if (person.login_uid) object.number("loginuid", *person.login_uid);
  return object.finish();
}

Json probe_json(const policy::ShownProbe& probe) {
  ObjectBuilder object;
  object.text("kind", probe.kind);
  object.text("location", probe.location);
  object.text("message", probe.message);
  object.text("condition", probe.condition);
  object.texts("captures", probe.captures);
  object.number_if("hits", probe.hits);
  object.number_if("stack", probe.stack);
  return object.finish();
}

Json said_json(const policy::Person& by, const policy::Moment& when, const std::string& reason) {
  ObjectBuilder object;
  object.set("by", person_json(by));
  object.text("time", rfc3339_utc(when.wall_ns));
  object.text("reason", reason);
  return object.finish();
}

void add_bound(const policy::BoundRequest& bound, ObjectBuilder& object) {
  object.set("by", person_json(bound.by));
  object.number("pid", static_cast<std::uint64_t>(bound.target.identity.pid));
  object.text("exe", bound.target.exe_path);
  object.text("build_id", bound.target.build_id);
  Json probes = Json::array();
  for (const policy::ShownProbe& probe : bound.probes) probes.push_back(probe_json(probe));
  object.set("probes", std::move(probes));
  object.texts("rights", names_of(bound.rights));
  Json limits = Json::array();
  for (const policy::Limits& granted : bound.granted) limits.push_back(limits_json(granted));
  object.set("limits", std::move(limits));
  object.text("reason", bound.reason);
  object.text("ticket", bound.ticket);
  object.text("rule", bound.rule);
  object.number("needed", bound.needed);
  object.text("program_hash", bound.program_hash);
  object.text("policy_hash", bound.policy_hash);
}

std::string probe_text(const policy::ShownProbe& probe, const policy::Limits& limits) {
  std::string text =
      fmt::format("  {:<10}{}\n", make_printable(probe.kind), make_printable(probe.location));
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("    {:<8}{}\n", name, make_printable(value));
  };
  line("message", probe.message);
  line("if", probe.condition);
  line("capture", joined(probe.captures, ", "));
  line("at most", limits_text(limits));
  if (probe.hits != 0) line("hits", std::to_string(probe.hits));
  if (probe.stack != 0) line("stack", fmt::format("{} functions that led there", probe.stack));
  return text;
}

}  // namespace

std::string requests_text(const std::vector<KnownRequest>& requests, const policy::Moment& now) {
  std::vector<TableRow> table{
      {"ID", "STATE", "APPROVED", "LEFT", "BY", "PID", "EXECUTABLE", "WHERE", "WHY"}};
  for (const KnownRequest& known : requests) {
    const policy::BoundRequest& bound = known.request.bound;
    std::vector<std::string> places;
    for (const policy::ShownProbe& probe : bound.probes) places.push_back(probe.location);
    table.push_back({known.request.id, std::string{policy::state_name(known.state)},
                     approvals_text(known), time_left(known, now), policy::person_text(bound.by),
                     std::to_string(bound.target.identity.pid), bound.target.exe_path,
                     joined(places, ", "), joined({bound.ticket, bound.reason}, " ")});
  }
  return table_text(table, 0);
}

std::string request_text(const KnownRequest& known, const policy::Moment& now) {
  const policy::BoundRequest& bound = known.request.bound;
  std::string text =
      fmt::format("request {}: {}, {} approved, {} left\n", known.request.id,
                  policy::state_name(known.state), approvals_text(known), time_left(known, now));
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<10}{}\n", name, make_printable(value));
  };
  line("by", policy::person_text(bound.by));
  line("process", fmt::format("{} {}", bound.target.identity.pid, bound.target.exe_path));
  for (std::size_t i = 0; i < bound.probes.size() && i < bound.granted.size(); ++i)
    text += probe_text(bound.probes[i], bound.granted[i]);
  line("takes", joined(names_of(bound.rights), ", "));
  line("ticket", bound.ticket);
  line("reason", bound.reason);
  line("rule", bound.rule);
  for (const policy::Approval& approval : known.approvals)
    line("approved", joined({"by " + policy::person_text(approval.by), approval.reason}, ": "));
  if (known.closing) line("ended", policy::state_text(known));
  return text;
}

std::string requests_json(const std::vector<KnownRequest>& requests) {
  std::string lines;
  for (const KnownRequest& known : requests) {
    ObjectBuilder object;
    object.number("schema", 1);
    object.text("kind", "request");
    object.text("id", known.request.id);
    object.text("state", policy::state_name(known.state));
    object.text("time", rfc3339_utc(known.request.made.wall_ns));
    object.text("host", known.request.host);
    add_bound(known.request.bound, object);
    Json approvals = Json::array();
    for (const policy::Approval& approval : known.approvals)
      approvals.push_back(said_json(approval.by, approval.given, approval.reason));
    object.set_if("approvals", std::move(approvals));
    if (known.closing)
      object.set("ended", said_json(known.closing->by, known.closing->at, known.closing->reason));
    lines += json_line(object.finish());
  }
  return lines;
}

}  // namespace nohalt::output
