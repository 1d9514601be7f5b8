// The one error path: codes to exit statuses, errno to codes.
#include "src/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace nohalt {
namespace {

TEST(Result, ExitStatusesAreTheDocumentedOnes) {
  struct Case {
    ErrorCode code;
    int status;
  };
  for (const Case& c : {Case{ErrorCode::kInternal, 1},
                        {ErrorCode::kUsage, 2},
                        {ErrorCode::kDenied, 3},
                        {ErrorCode::kRefused, 4},
                        {ErrorCode::kAlreadyProbed, 4},
                        {ErrorCode::kTargetGone, 5},
                        {ErrorCode::kNoHit, 6}})
    EXPECT_EQ(exit_status(c.code), c.status);
}

TEST(Result, ErrnoDecidesTheKindOfAFailedCall) {
  EXPECT_EQ(fail_errno("open", "/x", EACCES).error().code, ErrorCode::kDenied);
  EXPECT_EQ(fail_errno("kill", "", ESRCH).error().code, ErrorCode::kTargetGone);
  const Error error = fail_errno("open", "/x", ENOENT).error();
  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_EQ(error.message, "open /x: No such file or directory");
}

}  // namespace
}  // namespace nohalt
