// `nohalt trace`: a log run whose probes are functions. Patterns are turned into names
// first, by what the process and the policy let be seen; the run itself looks at
// everything anew.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/access/glob.h"
#include "src/base/escape.h"
#include "src/session/attach.h"
#include "src/session/log_run.h"
#include "src/session/permission.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

constexpr std::size_t kMostNamed = 8;  // in an error

// An operator's name may hold a sign that is no pattern.
bool is_pattern(const std::string& function) {
  return function.find_first_of("*?") != std::string::npos &&
         function.find("operator") == std::string::npos;
}

// `file.c:name` and `name`.
struct Pattern {
  std::string file;  // empty: any
  std::string function;
};

Pattern split(const std::string& text) {
  for (std::size_t at = text.find(':'); at != std::string::npos; at = text.find(':', at)) {
    if (at + 1 >= text.size() || text[at + 1] != ':')
      return {text.substr(0, at), text.substr(at + 1)};
    at += 2;
  }
  return {"", text};
}

bool is_in_file(const std::string& path, const std::string& asked) {
  return path == asked || path.ends_with("/" + asked);
}

class Expansion {
 public:
  Expansion(const Attachment& at, const policy::Leave& leave, const engines::TargetView& view)
      : at_(at), leave_(leave), view_(view) {}

  // Functions of the program that the pattern means, that the policy lets be seen and that
  // have an entry which can be probed; by name.
  Result<std::set<std::string>> names(const std::string& pattern, output::Talk& talk) const {
    const Pattern wanted = split(pattern);
    std::set<std::string> found;
    std::set<std::string> matched;
    for (const symbols::FunctionRange& function : at_.info->functions()) {
      const std::string name = function.name;
      if (name.empty() || !policy::function_matches(wanted.function, name)) continue;
      const auto place = at_.info->describe(function.range.begin);
      if (!place || (!wanted.file.empty() && !is_in_file(place->file, wanted.file))) continue;
      if (leave_.hides({policy::SourceUse::Kind::kCode, pattern, place->file, name})) continue;
      const std::string location = wanted.file.empty() ? name : wanted.file + ":" + name;
      if (matched.insert(location).second && found.size() <= kMostLooked) {
        if (const std::string why = why_not(location); why.empty())
          found.insert(location);
        else
          talk.say(fmt::format("nohalt: {} is left out: {}\n", make_printable(location), why));
      }
    }
    if (matched.empty())
      return fail(ErrorCode::kUsage, "no-such-function",
                  "No function of the program matches " + escape_untrusted(pattern).text + ".",
                  "In a pattern * stands for any characters but ::, and ** for any.");
    if (found.empty())
      return fail(
          ErrorCode::kRefused, "nothing-to-trace",
          "None of the functions that match " + escape_untrusted(pattern).text + " can be traced.",
          "Log one of their lines; `nohalt plan` tells what works.");
    return found.size() > kMostLooked ? matched : found;
  }

 private:
  // More are too many for any run.
  static constexpr std::size_t kMostLooked = 64;

  [[nodiscard]] std::string why_not(const std::string& location) const {
    const auto places = at_.modules.resolve(location);
    if (!places) return make_printable(places.error().message);
    std::string why = "it is inlined, or begins with what is";
    for (const ModuleSite& place : places->sites) {
      if (!place.line.inlined_into.empty()) continue;
      std::vector<engines::TakenBytes> taken;
      const auto calls = engines::choose_calls(view_, place.module, place.line, taken, 1);
      if (calls && calls->entry.plan.patchable()) return "";
      why = calls ? calls->entry.plan.refusal : make_printable(calls.error().message);
    }
    return why;
  }

  const Attachment& at_;
  const policy::Leave& leave_;
  const engines::TargetView& view_;
};

Status check_count(const std::vector<std::string>& functions, std::size_t most) {
  if (functions.size() <= most) return {};
  std::string named;
  for (std::size_t i = 0; i < std::min(functions.size(), kMostNamed); ++i)
    named += (i == 0 ? "" : ", ") + escape_untrusted(functions[i]).text;
  if (functions.size() > kMostNamed) named += ", ...";
  return fail(ErrorCode::kUsage, "too-many-functions",
              fmt::format("The patterns match {} functions, and one run may trace {}: {}.",
                          functions.size(), most, named),
              "Narrow a pattern ('order_get*', file.c:'get*'), or name those that matter.");
}

Result<std::vector<std::string>> expand(const TraceCommand& command, output::Talk& talk) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(all, name) == all.end()) all.push_back(name);
  };
  if (std::ranges::none_of(command.functions, is_pattern)) {
    std::ranges::for_each(command.functions, add);
    return all;
  }
  NOHALT_TRY(const auto at, attach(policy::Caller::current(), command.run.pid, command.run.common,
                                   {policy::Right::kLog}));
  NOHALT_TRY(const policy::Leave leave,
             at->authority.leave(at->admission, at->facts, {{policy::Right::kLog}, {}, {}, {}}));
  NOHALT_TRY(const engines::TargetView view, engines::look_at(at->process, at->modules.files()));
  const Expansion expansion(*at, leave, view);
  for (const std::string& function : command.functions) {
    if (!is_pattern(function)) {
      add(function);
      continue;
    }
    NOHALT_TRY(const auto names, expansion.names(function, talk));
    std::ranges::for_each(names, add);
  }
  NOHALT_CHECK(check_count(all, leave.probes()));
  return all;
}

}  // namespace

int run_trace(const TraceCommand& command) {
  output::Talk talk;
  const auto functions = expand(command, talk);
  if (!functions) {
    talk.error(functions.error());
    return exit_status(functions.error().code);
  }
  LogCommand run = command.run;
  for (const std::string& function : *functions) {
    run.probes.push_back(command.probe);
    run.probes.back().location = function;
  }
  return LogRun(run, talk).run();
}

}  // namespace nohalt::session
