// Whose it is, then its file: of what policy denies, by its build too, nothing is told. The
// files' answers are kept, since many processes run the same one.
#include "src/session/process_list.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <utility>

#include "probes/symbols/debug_info.h"
#include "probes/target/attachable.h"
#include "probes/target/process.h"
#include "src/session/target_facts.h"

namespace nohalt::session {

namespace {

struct FileAnswer {
  [[nodiscard]] policy::TargetFacts facts_of(const target::Process& process) const {
    policy::TargetFacts facts = target_facts(process);
    facts.build_id = build_id;
    return facts;
  }

  std::string build_id;
  std::string refusal;
  std::string refusal_text;
  bool has_debug_info = false;
};

class Lister {
 public:
  Lister(const policy::Authority& authority, const policy::Caller& caller,
         const ListOptions& options)
      : authority_(authority), caller_(caller), options_(options) {}

  output::ProcessRow row_of(const target::Process& process) {
    output::ProcessRow row;
    row.pid = process.pid();
    row.user = user_name(process.facts().uids[0]);
    const auto admission = authority_.admit(caller_, target_facts(process));
    if (!admission) return refused(row, admission.error());
    const Status attachable = target::check_attachable(process);
    const FileAnswer& answer = file_answer(process);
    // Rules by build id stop nothing before it is known.
    const auto leave = authority_.leave(*admission, answer.facts_of(process), {});
    if (!leave) return refused(row, leave.error());
    row.exe = process.facts().exe_path;
    if (!attachable) return refused(row, attachable.error());
    row.build_id = answer.build_id;
    row.has_debug_info = answer.has_debug_info;
    row.refusal = answer.refusal;
    row.refusal_text = answer.refusal_text;
    return row;
  }

 private:
  static output::ProcessRow& refused(output::ProcessRow& row, const Error& error) {
    row.refusal = error.reason;
    row.refusal_text = error.message;
    return row;
  }

  const FileAnswer& file_answer(const target::Process& process) {
    const auto key = std::pair{process.facts().exe_device, process.facts().exe_inode};
    const auto known = answers_.find(key);
    if (known != answers_.end()) return known->second;
    FileAnswer answer;
    const auto info = symbols::DebugInfo::open("/proc/" + std::to_string(process.pid()) + "/exe",
                                               process.facts().exe_path, {options_.debug_dirs});
    answer.build_id = info ? (*info)->build_id() : built_facts(process).build_id;
    if (info) {
      answer.has_debug_info = true;
    } else if (info.error().reason != "no-debug-info") {
      answer.refusal = info.error().reason;
      answer.refusal_text = info.error().message;
    }
    return answers_.emplace(key, std::move(answer)).first->second;
  }

  const std::string& user_name(uid_t uid) {
    const auto known = users_.find(uid);
    if (known != users_.end()) return known->second;
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    const bool named =
        ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    return users_.emplace(uid, named ? found->pw_name : std::to_string(uid)).first->second;
  }

  const policy::Authority& authority_;
  const policy::Caller& caller_;
  const ListOptions& options_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, FileAnswer> answers_;
  std::map<uid_t, std::string> users_;
};

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad == std::errc{} && end == name.data() + name.size() && pid != ::getpid())
      pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

}  // namespace

Result<std::vector<output::ProcessRow>> list_processes(const policy::Authority& authority,
                                                       const policy::Caller& caller,
                                                       const ListOptions& options) {
  Lister lister(authority, caller, options);
  std::vector<output::ProcessRow> rows;
  if (options.only != 0) {
    NOHALT_TRY(const target::Process process, target::Process::open(options.only));
    rows.push_back(lister.row_of(process));
    return rows;
  }
  for (const pid_t pid : all_pids()) {
    const auto process = target::Process::open(pid);
    if (!process || process->facts().kernel_thread) continue;
    output::ProcessRow row = lister.row_of(*process);
    if (row.refusal != "target-gone") rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace nohalt::session
