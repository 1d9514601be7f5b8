// Tables and inspection reports.
#include "src/output/table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/output/inspection_report.h"
#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

TEST(Table, AlignsColumnsByWhatIsSeen) {
  EXPECT_EQ(table_text({{"a", "b"}, {"\xc3\xa9\xc3\xa9", "c"}, {"only"}}, 1),
            " a     b\n \xc3\xa9\xc3\xa9    c\n only\n");
  EXPECT_EQ(table_text({}, 4), "");
}

TEST(Table, HostileCellsStayOnTheirLine) {
  const std::string text = table_text({{kHostile, "b"}}, 0);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(InspectionReport, AProcessSaysWhetherAndWhyNot) {
  ProcessRow good{42, "alice", "/usr/bin/x", "beef", true, "", ""};
  ProcessRow bad{43, "bob", "/usr/bin/y", "", false, "not-your-process", "It is bob's."};
  const std::string text = processes_text({good, bad});
  EXPECT_NE(text.find("42   alice  yes    /usr/bin/x"), std::string::npos) << text;
  EXPECT_NE(text.find("43   bob    no     /usr/bin/y  It is bob's."), std::string::npos) << text;
  const std::string lines = processes_json({good, bad});
  const auto second = nlohmann::json::parse(lines.substr(lines.find('\n') + 1));
  EXPECT_EQ(second["may_be_probed"], false);
  EXPECT_EQ(second["reason"], "not-your-process");
}

TEST(InspectionReport, AChecksAdviceStandsUnderIt) {
  const std::string text =
      checks_text({{"yama", CheckResult::kWarn, "Scope is 1.", "Do this."}}, false);
  EXPECT_EQ(text, "warn  yama                Scope is 1.\n                          Do this.\n");
}

}  // namespace
}  // namespace nohalt::output
