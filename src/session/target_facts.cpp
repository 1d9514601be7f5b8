// A copy from one module's plain values to another's.
#include "src/session/target_facts.h"

namespace nohalt::session {

policy::TargetFacts target_facts(const target::Process& process) {
  const target::ProcessFacts& facts = process.facts();
  policy::TargetFacts result;
  result.identity = process.identity();
  result.uids = facts.uids;
  result.gids = facts.gids;
  result.exe_device = facts.exe_device;
  result.exe_inode = facts.exe_inode;
  result.exe_path = facts.exe_path;
  return result;
}

}  // namespace nohalt::session
