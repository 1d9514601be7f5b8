// What only the process itself can answer, asked by a helper thread in it.
#include <gtest/gtest.h>

#include "probes/engines/inline/fault_handlers.h"
#include "probes/engines/inline/tsc_allowed.h"
#include "probes/target/target_lock.h"
#include "tests/unit/inline/debuggee.h"

namespace nohalt::engines {
namespace {

Status ask(const Debuggee& debuggee, Status (*question)(target::RemoteThread&)) {
  NOHALT_TRY(const auto lock, target::TargetLock::acquire(debuggee.process()));
  NOHALT_TRY(auto thread, target::RemoteThread::borrow(debuggee.process(), lock));
  const Status answer = question(thread);
  NOHALT_CHECK(thread.finish());
  return answer;
}

std::string reason(const Status& status) { return status ? "" : status.error().reason; }

TEST(AskedInTarget, TheClockMayBeReadUnlessForbidden) {
  EXPECT_EQ(reason(ask(Debuggee(), check_tsc_allowed)), "");
  EXPECT_EQ(reason(ask(Debuggee("no-tsc"), check_tsc_allowed)), "tsc-disabled");
}

Status fault_handlers_are_fine(target::RemoteThread& thread) {
  return check_fault_handlers(thread, {});
}

TEST(AskedInTarget, OnlyOneShotFaultHandlersAreFine) {
  EXPECT_EQ(reason(ask(Debuggee(), fault_handlers_are_fine)), "");
  EXPECT_EQ(reason(ask(Debuggee("one-shot"), fault_handlers_are_fine)), "");
  EXPECT_EQ(reason(ask(Debuggee("handler"), fault_handlers_are_fine)), "fault-handler");
}

}  // namespace
}  // namespace nohalt::engines
