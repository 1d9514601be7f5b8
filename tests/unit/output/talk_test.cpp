// Errors as a person sees them.
#include "src/output/talk.h"

#include <gtest/gtest.h>

#include "tests/unit/output/samples.h"

namespace nohalt::output {
namespace {

TEST(Talk, AnErrorIsAMessageAndAHintUnderIt) {
  EXPECT_EQ(error_text({ErrorCode::kUsage, "r", "It is wrong.", "Do this."}, false),
            "nohalt: It is wrong.\n  Do this.\n");
  EXPECT_EQ(error_text({ErrorCode::kUsage, "r", "It is wrong.", ""}, false),
            "nohalt: It is wrong.\n");
}

TEST(Talk, ACaretStaysUnderItsColumn) {
  EXPECT_EQ(error_text({ErrorCode::kUsage, "r", "bad\n  a->b\n    ^", ""}, false),
            "nohalt: bad\n  a->b\n    ^\n");
}

TEST(Talk, ErrorsCannotDriveATerminal) {
  const std::string text = error_text({ErrorCode::kUsage, "r", kHostile, kHostile}, false);
  for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
}

TEST(Talk, NoLineOfAMessagePassesForOneOfNohalts) {
  EXPECT_EQ(error_text({ErrorCode::kUsage, "r", "traced by x\nnohalt: ok", "y\nnohalt: ok"}, false),
            "nohalt: traced by x\n  nohalt: ok\n  y\n  nohalt: ok\n");
}

TEST(Talk, TheStatusSaysWhatIsLost) {
  EXPECT_EQ(status_text({12, 10, 2, 0, std::chrono::milliseconds{59'001}}),
            "12 hits, 10 written, 2 over the limit, 0 lost; ends in 1m (Ctrl-C: now)");
}

}  // namespace
}  // namespace nohalt::output
