// The engine compares every field of a Grant again before it writes.
#include <gtest/gtest.h>

#include "policy/access/authority.h"
#include "probes/engines/inline/inline_engine.h"
#include "tests/unit/inline/debuggee.h"

namespace nohalt::engines {
namespace {

policy::TargetFacts facts_of(const Debuggee& debuggee) {
  const target::ProcessFacts& facts = debuggee.process().facts();
  return {debuggee.process().identity(),
          facts.uids,
          facts.gids,
          facts.exe_device,
          facts.exe_inode,
          facts.exe_path,
          debuggee.info().build_id()};
}

// What comes of arming with a Grant for `granted`.
std::string outcome(const Debuggee& debuggee, const policy::TargetFacts& granted,
                    std::string hash = "") {
  RunToArm run;
  run.files = debuggee.files();
  run.probes.emplace_back();
  run.sites.push_back({debuggee.site("moved"), {}, 0});
  if (hash.empty()) hash = program_hash(run);
  policy::PolicySources sources;
  sources.system = "/nonexistent/policy.yaml";
  const auto authority = policy::Authority::load(sources).value();
  const auto admission = authority.admit(policy::Caller::current(), granted).value();
  const auto decision = authority.decide(admission, {granted, hash, {{}}}).value();
  const auto armed = arm(decision.grant, debuggee.process(), run, {"abc"});
  return armed ? "" : armed.error().reason;
}

TEST(Grant, EveryFactOfTheTargetIsComparedAgain) {
  const Debuggee debuggee;
  const policy::TargetFacts facts = facts_of(debuggee);
  EXPECT_NE(outcome(debuggee, facts), "target-changed");
  EXPECT_EQ(outcome(debuggee, facts, std::string(64, '0')), "target-changed");
  policy::TargetFacts other = facts;
  other.build_id = "00";
  EXPECT_EQ(outcome(debuggee, other), "target-changed");
  other = facts;
  other.exe_path += "x";
  EXPECT_EQ(outcome(debuggee, other), "target-changed");
  other = facts;
  ++other.exe_inode;
  EXPECT_EQ(outcome(debuggee, other), "target-changed");
  other = facts;
  ++other.gids[3];
  EXPECT_EQ(outcome(debuggee, other), "target-changed");
}

}  // namespace
}  // namespace nohalt::engines
