// Plans: both verdicts, in both forms.
#include "src/output/plan_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

PlanReport sample() {
  PlanSite good;
  good.file = "orders.c";
  good.line = 142;
  good.function = "place";
  good.runtime_address = good.patched_address = 0x401000;
  good.link_address = 0x1000;
  good.engine = "inline";
  good.window = "punned";
  good.listing = "mov rax, rbx";
  good.changed_bytes = 3;
  good.instructions = 40;
  good.record_bytes = 64;
  good.system_calls = 1;
  good.variables = {{"id", "int", "argument", "available", "", {}},
                    {"total", "double", "local", "optimized_out", "", {140, 141}}};
  PlanSite bad = good;
  bad.inlined_into = "main";
  bad.refusals = {{"crosses-page", "The window crosses a page.", "Take line 143."}};
  return {4711, "/usr/bin/orders", "beef", {}, {{"orders.c:142", {good, bad}, {}}}};
}

TEST(PlanReport, TellsSitesVerdictsAndVariables) {
  const std::string text = plan_text(sample(), false);
  for (const char* part :
       {"process 4711  /usr/bin/orders  build id beef", "2 places in the code, 1 can be probed",
        "0x401000 orders.c:142 in place", "inline, punned, 3 bytes changed, nobody is stopped",
        "displaces mov rax, rbx", "argument  id     int     available",
        "optimized out; there on lines 140, 141", "inlined into main", "refused",
        "crosses-page: The window crosses a page.", "Take line 143.",
        "40 instructions, 1 system calls, 64 bytes"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(PlanReport, IsOneJsonObject) {
  const std::string line = plan_json(sample());
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto plan = nlohmann::json::parse(line);
  EXPECT_EQ(plan["kind"], "plan");
  const auto& sites = plan["places"][0]["sites"];
  EXPECT_EQ(sites[0]["verdict"], "can-be-probed");
  EXPECT_EQ(sites[0]["address"], "0x401000");
  EXPECT_EQ(sites[0]["worst_case"]["system_calls"], 1);
  EXPECT_EQ(sites[0]["variables"][1]["available_lines"][1], 141);
  EXPECT_EQ(sites[1]["verdict"], "refused");
  EXPECT_EQ(sites[1]["refusals"][0]["reason"], "crosses-page");
}

TEST(PlanReport, TellsWhatOfALocationIsNotProbed) {
  PlanReport report = sample();
  report.places[0].warnings = {
      {"copies-not-probed", "3 more stretches of code belong to this line.", "Take line 143."}};
  const std::string text = plan_text(report, false);
  EXPECT_NE(text.find("copies-not-probed: 3 more stretches of code"), std::string::npos) << text;
  const auto plan = nlohmann::json::parse(plan_json(report));
  EXPECT_EQ(plan["places"][0]["warnings"][0]["reason"], "copies-not-probed");
  EXPECT_FALSE(nlohmann::json::parse(plan_json(sample()))["places"][0].contains("warnings"));
}

TEST(PlanReport, NamesFromDebugInformationCannotDriveATerminal) {
  PlanReport report = sample();
  PlanSite& site = report.places[0].sites[0];
  site.function = site.file = site.listing = kHostile;
  site.variables = {{kHostile, kHostile, "local", "available", kHostile, {}}};
  report.places[0].location = report.exe = kHostile;
  const std::string text = plan_text(report, false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\n{"), std::string::npos);
}

}  // namespace
}  // namespace nohalt::output
