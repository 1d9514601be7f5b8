// Every option is declared once, at the top, with the commands that take it;
// CLI11's fallthrough lets it stand before or after the command. What is not
// ours is collected, not thrown, so that the answer can name what was meant.
#include "src/cli/grammar.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "src/base/escape.h"
#include "src/base/suggest.h"

namespace nohalt::cli {

namespace {

constexpr std::array<std::string_view, 15> kCommands{
    "ps",    "plan",  "log",    "snap",     "trace",   "show", "list",  "rm",
    "sweep", "audit", "policy", "requests", "approve", "deny", "doctor"};
// Named in the project's design, and answered with more than "unknown".
constexpr std::array<std::string_view, 1> kLaterCommands{"stack"};

enum class Takes {
  kNothing,
  kOneText,
  kManyTexts,
  kPerhapsText
};  // perhaps: --name or --name=TEXT

struct Option {
  const char* name;       // the key in Words
  const char* spellings;  // as CLI11 wants them
  Takes takes;
  std::string_view commands;  // who takes it, separated by spaces; empty: all
};

constexpr Option kOptions[] = {
    {"help", "-h,--help", Takes::kNothing, ""},
    {"version", "--version", Takes::kNothing, ""},
    {"format", "--format", Takes::kOneText, ""},
    {"output", "-o,--output", Takes::kOneText, ""},
    {"policy", "--policy", Takes::kOneText, ""},
    {"audit", "--audit", Takes::kOneText, ""},
    {"audit-syslog", "--audit-syslog", Takes::kNothing, ""},
    {"socket", "--socket", Takes::kOneText, ""},
    {"debug-dir", "--debug-dir", Takes::kManyTexts, ""},
    {"pid", "-p,--pid", Takes::kOneText, "log snap trace plan ps sweep list audit policy"},
    {"if", "--if", Takes::kOneText, "log snap plan"},
    {"capture", "--capture", Takes::kManyTexts, "log snap plan"},
    {"depth", "--depth", Takes::kOneText, "log snap trace plan"},
    {"engine", "--engine", Takes::kOneText, "log snap trace plan"},
    {"file", "-f,--file", Takes::kOneText, "log snap plan"},
    {"limit", "--limit", Takes::kOneText, "log snap trace policy"},
    {"hits", "--hits", Takes::kOneText, "log snap trace"},
    {"for", "--for", Takes::kOneText, "log snap trace policy"},
    {"cpu", "--cpu", Takes::kOneText, "log snap trace policy"},
    {"reason", "--reason", Takes::kOneText, "log snap trace policy approve deny"},
    {"break-glass", "--break-glass", Takes::kNothing, "log snap trace"},
    {"ticket", "--ticket", Takes::kOneText, "log snap trace audit policy"},
    {"may", "--may", Takes::kOneText, "policy"},
    {"stack", "--stack", Takes::kPerhapsText, "log snap"},
    {"allow-stop", "--allow-stop", Takes::kPerhapsText, "log snap plan"},
    {"pending", "--pending", Takes::kNothing, "log snap"},
    {"redaction", "--redaction", Takes::kNothing, "plan"},
    {"message", "--message", Takes::kOneText, "plan"},
    {"types", "--types", Takes::kNothing, "snap show"},
    {"user", "--user", Takes::kOneText, "audit"},
    {"exe", "--exe", Takes::kOneText, "audit"},
    {"since", "--since", Takes::kOneText, "audit"},
    {"until", "--until", Takes::kOneText, "audit"},
    {"run", "--run", Takes::kOneText, "audit"},
    {"event", "--event", Takes::kOneText, "audit"},
    {"checkpoint", "--checkpoint", Takes::kOneText, "audit"},
};

std::string in_quotes(std::string_view text) { return "\"" + escape_untrusted(text).text + "\""; }

std::unexpected<Error> usage(std::string reason, std::string message, std::string hint) {
  return fail(ErrorCode::kUsage, std::move(reason), std::move(message), std::move(hint));
}

bool takes(const Option& option, std::string_view command) {
  if (option.commands.empty()) return true;
  const std::string all = " " + std::string{option.commands} + " ";
  return all.find(" " + std::string{command} + " ") != std::string::npos;
}

// "-p" or "--limit": the first spelling, as a person would write it.
std::string_view shown(const Option& option) {
  const std::string_view all = option.spellings;
  return all.substr(0, all.find(','));
}

std::string options_of(std::string_view command) {
  std::string list;
  for (const Option& option : kOptions) {
    if (!takes(option, command) || option.takes == Takes::kNothing) continue;
    if (std::string_view{option.name} == "socket") continue;
    list += (list.empty() ? "" : ", ") + std::string{shown(option)};
  }
  return list;
}

std::string help_hint(std::string_view command) {
  if (command.empty()) return "See nohalt --help.";
  return "See nohalt " + std::string{command} + " --help.";
}

std::unexpected<Error> unknown_option(const std::string& word, std::string_view command) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string_view> candidates;
  for (const Option& option : kOptions) {
    if (!takes(option, command) && !command.empty()) continue;
    const std::string_view all = option.spellings;
    const std::size_t comma = all.find(',');
    candidates.push_back(comma == std::string_view::npos ? all : all.substr(comma + 1));
  }
  const std::string_view near = nearest(name, candidates);
  std::string hint = near.empty() ? help_hint(command) : "Did you mean " + std::string{near} + "?";
  if (!word.starts_with("--") && near.empty())
    hint = "Write -- before an argument that begins with a hyphen. " + hint;
  return usage("unknown-option", "There is no option " + in_quotes(name) + ".", hint);
}

std::unexpected<Error> unknown_command(const std::string& word) {
  if (std::ranges::find(kLaterCommands, word) != kLaterCommands.end())
    return usage("not-in-this-version", word + " is not in this version of nohalt.",
                 "It has ps, plan, log, snap, trace, show, list, rm, sweep, audit, policy, "
                 "requests, approve, deny "
                 "and doctor.");
  const std::string_view near = nearest(word, kCommands);
  return usage("unknown-command", "There is no command " + in_quotes(word) + ".",
               near.empty() ? help_hint("") : "Did you mean " + std::string{near} + "?");
}

std::size_t most_arguments(std::string_view command) {
  if (command == "log" || command == "audit") return 2;
  if (command == "plan" || command == "policy" || command == "trace") return 1000;
  constexpr std::string_view kWithOne[] = {"rm", "snap", "show", "requests", "approve", "deny"};
  return std::ranges::find(kWithOne, command) != std::end(kWithOne) ? 1 : 0;
}

// What CLI11 throws: only about values that are missing or given twice.
std::unexpected<Error> complaint(const CLI::App& app, const CLI::ParseError& problem,
                                 std::string_view command) {
  for (const Option& option : kOptions) {
    const CLI::Option* known = app.get_option("--" + std::string{option.name});
    if (known->count() > 1 &&
        (option.takes == Takes::kOneText || option.takes == Takes::kPerhapsText))
      return usage("option-given-twice",
                   "The option " + std::string{shown(option)} + " is given more than once.",
                   "Give it once.");
  }
  return usage("malformed-command-line", escape_untrusted(problem.what()).text + ".",
               help_hint(command));
}

Status check_options(const Words& words) {
  if (words.command.empty()) return {};
  for (const Option& option : kOptions) {
    if (!words.has(option.name) || takes(option, words.command)) continue;
    return usage("option-of-another-command",
                 words.command + " does not take " + std::string{shown(option)} + ".",
                 words.command + " takes " + options_of(words.command) + ".");
  }
  return {};
}

void declare(CLI::App& app) {
  app.set_help_flag();
  app.require_subcommand(0, 1);
  app.allow_extras();
  for (const Option& option : kOptions) {
    if (option.takes == Takes::kNothing || option.takes == Takes::kPerhapsText) {
      app.add_flag(option.spellings);
      continue;
    }
    CLI::Option* added = app.add_option(option.spellings)->allow_extra_args(false)->expected(1);
    added->multi_option_policy(option.takes == Takes::kManyTexts ? CLI::MultiOptionPolicy::TakeAll
                                                                 : CLI::MultiOptionPolicy::Throw);
  }
  for (const std::string_view name : kCommands) {
    CLI::App* command = app.add_subcommand(std::string{name});
    command->set_help_flag();
    command->fallthrough();
    command->allow_extras();
  }
}

// Arguments are what CLI11 found no option for, and all that stands behind `--`.
Status sort_arguments(const std::vector<std::string>& found, std::vector<std::string> behind,
                      Words& sorted) {
  for (const std::string& word : found)
    if (word.size() > 1 && word.starts_with('-')) return unknown_option(word, sorted.command);
  sorted.arguments = found;
  sorted.arguments.insert(sorted.arguments.end(), std::make_move_iterator(behind.begin()),
                          std::make_move_iterator(behind.end()));
  if (sorted.command.empty() && !sorted.arguments.empty())
    return unknown_command(sorted.arguments.front());
  const std::size_t most = most_arguments(sorted.command);
  if (sorted.arguments.size() <= most) return {};
  return usage("too-many-arguments",
               "There is one argument too many: " + in_quotes(sorted.arguments[most]) + ".",
               sorted.command == "log"
                   ? "Put the message into quotes: nohalt log -p PID LOCATION 'MESSAGE'."
                   : help_hint(sorted.command));
}

}  // namespace

std::string Words::text(const std::string& option) const {
  const auto found = options.find(option);
  return found == options.end() || found->second.empty() ? std::string{} : found->second.back();
}

Result<Words> sort_words(const std::vector<std::string>& words) {
  CLI::App app;
  declare(app);
  const auto mark = std::ranges::find(words, "--");
  std::vector<std::string> behind(mark == words.end() ? mark : mark + 1, words.end());
  const auto chosen = [&app]() -> std::string {
    const auto commands = app.get_subcommands();
    return commands.empty() ? std::string{} : commands.front()->get_name();
  };
  try {
    // CLI11 takes its words from the back.
    app.parse(std::vector<std::string>(std::make_reverse_iterator(mark), words.rend()));
  } catch (const CLI::ParseError& problem) {
    return complaint(app, problem, chosen());
  }
  Words sorted;
  sorted.command = chosen();
  NOHALT_CHECK(sort_arguments(app.remaining(true), std::move(behind), sorted));
  for (const Option& option : kOptions)
    if (const CLI::Option* given = app.get_option("--" + std::string{option.name});
        given->count() > 0)
      sorted.options[option.name] = given->results();
  NOHALT_CHECK(check_options(sorted));
  return sorted;
}

}  // namespace nohalt::cli
