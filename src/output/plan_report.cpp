// A plan for people: the process, then each LOCATION, its places, and a table
// of what is visible there. For programs: one object.
#include "src/output/plan_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/base/escape.h"
#include "src/output/json.h"
#include "src/output/table.h"

namespace nohalt::output {

namespace {

std::string obstacle_text(const Obstacle& obstacle, std::string_view indent) {
  std::string text = fmt::format("{}{}: {}\n", indent, make_printable(obstacle.reason),
                                 make_printable(obstacle.message));
  if (!obstacle.hint.empty())
    text += fmt::format("{}  {}\n", indent, make_printable(obstacle.hint));
  return text;
}

std::string state_text(const PlanVariable& variable) {
  std::string text = variable.state;
  std::ranges::replace(text, '_', ' ');
  if (!variable.why.empty()) text += ": " + variable.why;
  if (variable.available_lines.empty()) return text;
  text += variable.available_lines.size() == 1 ? "; there on line" : "; there on lines";
  for (std::size_t i = 0; i < variable.available_lines.size(); ++i)
    text += (i == 0 ? " " : ", ") + std::to_string(variable.available_lines[i]);
  return text;
}

std::string verdict_text(const PlanSite& site) {
  if (!site.refusals.empty()) return "refused";
  std::string text = fmt::format("{}, {}", site.engine, site.window);
  text +=
      fmt::format(", {} byte{} changed", site.changed_bytes, site.changed_bytes == 1 ? "" : "s");
  if (!site.stop) return text + ", nobody is stopped";
  return text + fmt::format(", with a stop: {} thread{} held for about {} us; takes --allow-stop",
                            site.stop->threads, site.stop->threads == 1 ? "" : "s",
                            site.stop->expected_hold.count());
}

std::string values_text(const std::vector<PlanValue>& values) {
  std::vector<TableRow> rows;
  for (const PlanValue& value : values) {
    std::string state = value.state;
    std::ranges::replace(state, '-', ' ');
    rows.push_back({value.name, value.type, state, value.why});
    for (const PlanValue::Hidden& part : value.hidden)
      rows.push_back({"", part.path, "hidden", part.why});
  }
  return table_text(rows, 4);
}

std::string site_text(const PlanSite& site, bool colour) {
  const char* tint = !colour ? "" : site.refusals.empty() ? "\x1b[32m" : "\x1b[31m";
  std::string text = fmt::format("  {} {}:{}", hex_address(site.runtime_address),
                                 make_printable(site.file), site.line);
  if (!site.function.empty()) text += " in " + make_printable(site.function);
  if (!site.inlined_into.empty()) text += ", inlined into " + make_printable(site.inlined_into);
  if (!site.module.empty()) text += ", of " + make_printable(site.module);
  text += fmt::format("\n    {}{}{}\n", tint, make_printable(verdict_text(site)),
                      colour ? "\x1b[0m" : "");
  for (const Obstacle& refusal : site.refusals) text += obstacle_text(refusal, "      ");
  if (site.refusals.empty() && !site.listing.empty()) {
    text += "    displaces " + make_printable(site.listing);
    if (site.patched_address != site.runtime_address)
      text += " at " + hex_address(site.patched_address) +
              ", further on in the statement, where the same is seen";
    text += "\n";
  }
  if (site.instructions > 0)
    text += fmt::format("    one hit at worst: {} instructions, {} system calls, {} bytes\n",
                        site.instructions, site.system_calls, site.record_bytes);
  if (!site.values.empty()) return text + values_text(site.values);
  std::vector<TableRow> rows;
  for (const PlanVariable& variable : site.variables)
    rows.push_back({variable.kind, variable.name, variable.type, state_text(variable)});
  return text + table_text(rows, 4);
}

Json obstacles_json(const std::vector<Obstacle>& obstacles) {
  Json list = Json::array();
  for (const Obstacle& obstacle : obstacles) {
    ObjectBuilder object;
    object.text("reason", obstacle.reason);
    object.text("message", obstacle.message);
    object.text("hint", obstacle.hint);
    list.push_back(object.finish());
  }
  return list;
}

Json variable_json(const PlanVariable& variable) {
  ObjectBuilder object;
  object.text("name", variable.name);
  object.text("type", variable.type);
  object.text("kind", variable.kind);
  object.text("state", variable.state);
  object.text("why", variable.why);
  object.set_if("available_lines", variable.available_lines);
  return object.finish();
}

Json value_json(const PlanValue& value) {
  ObjectBuilder object;
  object.text("name", value.name);
  object.text("type", value.type);
  object.text("state", value.state);
  object.text("why", value.why);
  Json hidden = Json::array();
  for (const PlanValue::Hidden& part : value.hidden) {
    ObjectBuilder one;
    one.text("path", part.path);
    one.text("why", part.why);
    hidden.push_back(one.finish());
  }
  object.set_if("hidden", std::move(hidden));
  return object.finish();
}

Json site_json(const PlanSite& site) {
  ObjectBuilder object;
  object.text("file", site.file);
  object.number_if("line", site.line);
  object.text("function", site.function);
  object.text("inlined_into", site.inlined_into);
  object.text("module", site.module);
  object.text("module_build_id", site.module_build_id);
  object.set("link_address", hex_address(site.link_address));
  object.set("address", hex_address(site.runtime_address));
  object.set("verdict", site.refusals.empty() ? "can-be-probed" : "refused");
  object.text("engine", site.engine);
  object.text("window", site.window);
  if (site.refusals.empty()) {
    object.set("patched_address", hex_address(site.patched_address));
    object.text("displaces", site.listing);
    object.number("changed_bytes", site.changed_bytes);
  }
  if (site.stop)
    object.set("stop", {{"threads", site.stop->threads},
                        {"expected_hold_ns", site.stop->expected_hold.count() * 1000}});
  object.set_if("refusals", obstacles_json(site.refusals));
  if (site.instructions > 0)
    object.set("worst_case", {{"instructions", site.instructions},
                              {"system_calls", site.system_calls},
                              {"record_bytes", site.record_bytes}});
  Json variables = Json::array();
  for (const PlanVariable& variable : site.variables) variables.push_back(variable_json(variable));
  object.set_if("variables", std::move(variables));
  Json values = Json::array();
  for (const PlanValue& value : site.values) values.push_back(value_json(value));
  object.set_if("values", std::move(values));
  return object.finish();
}

}  // namespace

std::string plan_text(const PlanReport& report, bool colour) {
  std::string text = fmt::format("process {}  {}", report.pid, make_printable(report.exe));
  if (!report.build_id.empty()) text += "  build id " + make_printable(report.build_id);
  text += "\n";
  for (const Obstacle& refusal : report.refusals) text += obstacle_text(refusal, "  ");
  for (const PlanPlace& place : report.places) {
    const auto good = std::ranges::count_if(
        place.sites, [](const PlanSite& site) { return site.refusals.empty(); });
    text += fmt::format("\n{}: {} place{} in the code, {} can be probed\n",
                        make_printable(place.location), place.sites.size(),
                        place.sites.size() == 1 ? "" : "s", good);
    for (const Obstacle& error : place.errors) text += obstacle_text(error, "  ");
    for (const Obstacle& warning : place.warnings) text += obstacle_text(warning, "  ");
    for (const PlanSite& site : place.sites) text += site_text(site, colour);
  }
  if (!report.value_rules.empty())
    text += "\nhidden in all that leaves, by its look: " +
            make_printable(fmt::format("{}", fmt::join(report.value_rules, ", "))) + "\n";
  return text;
}

std::string plan_json(const PlanReport& report) {
  ObjectBuilder object;
  object.set("schema", 1);
  object.set("kind", "plan");
  object.number("pid", static_cast<std::uint64_t>(report.pid));
  object.text("exe", report.exe);
  object.text("build_id", report.build_id);
  object.set_if("refusals", obstacles_json(report.refusals));
  Json places = Json::array();
  for (const PlanPlace& place : report.places) {
    ObjectBuilder one;
    one.text("location", place.location);
    Json sites = Json::array();
    for (const PlanSite& site : place.sites) sites.push_back(site_json(site));
    one.set_if("sites", std::move(sites));
    one.set_if("errors", obstacles_json(place.errors));
    one.set_if("warnings", obstacles_json(place.warnings));
    places.push_back(one.finish());
  }
  object.set("places", std::move(places));
  object.set_if("value_rules", report.value_rules);
  return json_line(object.finish());
}

}  // namespace nohalt::output
