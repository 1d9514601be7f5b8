// Tables for people, one object a line for programs.
#include "src/output/inspection_report.h"

#include <fmt/format.h>

#include <chrono>

#include "policy/limits/lowering.h"
#include "src/base/escape.h"
#include "src/output/json.h"
#include "src/output/table.h"

namespace nohalt::output {

namespace {

ObjectBuilder object_of_kind(const char* kind) {
  ObjectBuilder object;
  object.set("schema", 1);
  object.set("kind", kind);
  return object;
}

std::uint64_t as_number(pid_t pid) { return static_cast<std::uint64_t>(pid); }

std::string_view result_name(CheckResult result) {
  switch (result) {
    case CheckResult::kOk:
      return "ok";
    case CheckResult::kWarn:
      return "warn";
    case CheckResult::kFail:
      return "fail";
  }
  return "fail";
}

std::string_view result_colour(CheckResult result) {
  switch (result) {
    case CheckResult::kOk:
      return "\x1b[32m";
    case CheckResult::kWarn:
      return "\x1b[33m";
    case CheckResult::kFail:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string processes_text(const std::vector<ProcessRow>& rows) {
  std::vector<TableRow> table{{"PID", "USER", "PROBE", "EXECUTABLE", ""}};
  for (const ProcessRow& row : rows) {
    std::string why = row.refusal_text;
    if (row.refusal.empty() && !row.has_debug_info) why = "no debug information was found";
    const char* verdict = !row.refusal.empty() ? "no" : row.has_debug_info ? "yes" : "bare";
    table.push_back({std::to_string(row.pid), row.user, verdict, row.exe, why});
  }
  return table_text(table, 0);
}

std::string processes_json(const std::vector<ProcessRow>& rows) {
  std::string lines;
  for (const ProcessRow& row : rows) {
    ObjectBuilder object = object_of_kind("process");
    object.number("pid", as_number(row.pid));
    object.text("user", row.user);
    object.text("exe", row.exe);
    object.text("build_id", row.build_id);
    object.set("may_be_probed", row.refusal.empty());
    object.set("has_debug_info", row.has_debug_info);
    object.text("reason", row.refusal);
    object.text("message", row.refusal_text);
    lines += json_line(object.finish());
  }
  return lines;
}

std::string armed_text(const std::vector<ArmedRow>& rows) {
  std::vector<TableRow> table{{"ID", "PID", "STATE", "ENDS IN", "BY", "EXECUTABLE", "ADDRESSES"}};
  for (const ArmedRow& row : rows) {
    std::string addresses;
    for (const std::uint64_t address : row.addresses)
      addresses += (addresses.empty() ? "" : " ") + hex_address(address);
    const std::chrono::seconds left{row.lease_left_ms / 1000};
    const std::string by =
        row.tool_pid == 0 ? row.user : fmt::format("{}[{}]", row.user, row.tool_pid);
    table.push_back({row.id, std::to_string(row.pid), row.state,
                     row.lease_left_ms > 0 ? policy::duration_text(left) : "-", by, row.exe,
                     addresses});
  }
  return table_text(table, 0);
}

std::string armed_json(const std::vector<ArmedRow>& rows) {
  std::string lines;
  for (const ArmedRow& row : rows) {
    ObjectBuilder object = object_of_kind("armed");
    object.text("id", row.id);
    object.number("pid", as_number(row.pid));
    object.text("exe", row.exe);
    object.text("state", row.state);
    object.number_if("tool_pid", as_number(row.tool_pid));
    object.text("user", row.user);
    Json addresses = Json::array();
    for (const std::uint64_t address : row.addresses) addresses.push_back(hex_address(address));
    object.set_if("addresses", std::move(addresses));
    if (row.lease_left_ms > 0)
      object.number("lease_left_ms", static_cast<std::uint64_t>(row.lease_left_ms));
    lines += json_line(object.finish());
  }
  return lines;
}

std::string checks_text(const std::vector<Check>& checks, bool colour) {
  std::string text;
  for (const Check& check : checks) {
    const std::string result = colour ? fmt::format("{}{:<4}\x1b[0m", result_colour(check.result),
                                                    result_name(check.result))
                                      : fmt::format("{:<4}", result_name(check.result));
    text += fmt::format("{}  {:<20}{}\n", result, check.name, make_printable(check.found));
    if (!check.advice.empty()) text += fmt::format("{:26}{}\n", "", make_printable(check.advice));
  }
  return text;
}

std::string checks_json(const std::vector<Check>& checks) {
  std::string lines;
  for (const Check& check : checks) {
    ObjectBuilder object = object_of_kind("check");
    object.text("name", check.name);
    object.set("result", result_name(check.result));
    object.text("found", check.found);
    object.text("advice", check.advice);
    lines += json_line(object.finish());
  }
  return lines;
}

}  // namespace nohalt::output
