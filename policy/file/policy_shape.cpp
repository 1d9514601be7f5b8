// The tables. What each key is for stands beside it, since editors show it.
#include "policy/file/policy_shape.h"

#include <re2/re2.h>

#include <charconv>

#include "policy/access/right.h"
#include "policy/redaction/value_rules.h"
#include "src/base/escape.h"
#include "src/base/units.h"

namespace nohalt::policy {

namespace {

// Units are read by the same functions as the command line's.
template <auto kParse>
Status parses(std::string_view text) {
  const auto value = kParse(text);
  if (!value) return std::unexpected(value.error());
  return {};
}

Status is_pattern(std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 pattern(text, options);
  if (pattern.ok()) return {};
  return fail(ErrorCode::kUsage, "malformed-pattern",
              "This is no pattern: " + escape_untrusted(pattern.error()).text + ".",
              "Patterns are written as RE2 takes them.");
}

Status is_instant(std::string_view text) {
  if (parse_instant(text)) return {};
  return fail(ErrorCode::kUsage, "malformed-time", "This is no time.",
              "Write a time as 2026-12-01T18:00:00Z.");
}

Shape principal() {
  Shape shape = text_shape(R"([^\s:,]{1,256})", "A name or a number belongs here.");
  shape.kind = Shape::Kind::kTextOrNumber;
  shape.most = 4'294'967'294;
  return shape;
}

std::vector<std::string_view> right_words() {
  std::vector<std::string_view> words;
  for (const NamedRight& right : kRights) words.push_back(right.name);
  return words;
}

constexpr std::string_view kDurationPattern = "0*[1-9][0-9]*(ms|s|m|h)";
constexpr std::string_view kSizePattern = "0*[1-9][0-9]*(B|KiB|MiB|GiB)";
constexpr std::string_view kPercentPattern = R"([0-9]+(\.[0-9]*)?%)";
constexpr std::string_view kInstantPattern =
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})";

// All shapes of one policy, since they point to each other.
struct Shapes {
  Shape version = number_shape(1, 1);
  Shape yes_no = truth_shape();
  Shape name = text_shape("[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
                          "A name is of letters, digits, '.', '_' and '-'.");
  Shape folder = text_shape("/[^\\x00-\\x1f]*", "An absolute path belongs here.");
  Shape anybody = principal();
  Shape people = list_shape(&anybody);
  Shape right = word_shape(right_words());
  Shape rights = list_shape(&right);
  Shape exe = text_shape("(/|\\*\\*)[^\\x00-\\x1f]{0,999}",
                         "A pattern for whole paths begins with / or **.");
  Shape exes = list_shape(&exe);
  Shape source = text_shape("[^\\x00-\\x1f]{1,1000}", "A pattern for paths belongs here.");
  Shape sources = list_shape(&source);
  Shape function =
      text_shape("[^\\x00-\\x1f]{1,1000}", "A pattern for names of functions belongs here.");
  Shape functions = list_shape(&function);
  Shape build_id =
      text_shape("[0-9a-f]{8,128}", "A build id is written as hex digits, in small letters.");
  Shape build_ids = list_shape(&build_id);
  Shape label = text_shape("[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
                           "A label is of letters, digits, '.', '_' and '-'.");
  Shape labels = list_shape(&label);
  Shape cgroup = text_shape("(/|\\*\\*)[^\\x00-\\x1f]{0,999}",
                            "A pattern for whole paths of cgroups begins with / or **.");
  Shape cgroups = list_shape(&cgroup);
  Shape container =
      text_shape("[0-9a-f*?]{1,128}", "A container's id is of hex digits; * stands for any.");
  Shape containers = list_shape(&container);
  Shape duration = text_shape(kDurationPattern, "", parses<parse_duration>);
  Shape size = text_shape(kSizePattern, "", parses<parse_size>);
  Shape share = text_shape(kPercentPattern, "", parses<parse_percent>);
  Shape rate = number_shape(1, 100'000'000);
  Shape few = number_shape(1, 64);
  Shape many = number_shape(1, 1'000'000);
  Shape people_count = number_shape(0, 16);
  Shape pattern = text_shape("[^\\x00-\\x1f]{1,1000}", "A pattern belongs here.", is_pattern);
  Shape instant = text_shape(kInstantPattern, "Write a time as 2026-12-01T18:00:00Z.", is_instant);
  Shape words = text_shape("[a-z0-9]+( [a-z0-9]+)*",
                           "A name rule is a word or several, in small letters: api key");
  Shape type_name =
      text_shape("[^\\x00-\\x1f]{1,1000}", "A pattern for names of types belongs here.");
  Shape excess = word_shape({"lower", "refuse"});
  Shape mode = word_shape({"targeted", "strict"});
  Shape action = word_shape({"drop", "mask", "hash"});
  Shape unread_action = word_shape({"drop", "mask"});
  Shape name_rule = read_rule("name", words, "A name, as words: api key.");
  Shape name_rules = list_shape(&name_rule);
  Shape type_rule = read_rule("type", type_name, "A type; * stands for any characters.");
  Shape type_rules = list_shape(&type_rule);
  Shape source_rule = read_rule("source", source, "Source files, relative to source_root.");
  Shape redacted_sources = list_shape(&source_rule);

  Shape members = map_shape({{"users", &people, false, "Names or numbers of users."},
                             {"groups", &people, false, "Names or numbers of groups."}},
                            {"users", "groups"});
  Shape where = map_shape(
      {{"exe", &exes, false, "Whole paths of programs; * stops at /, ** does not."},
       {"run_as", &people, false, "Users: all that a process runs as must be among them."},
       {"build_id", &build_ids, false, "Build ids of programs."},
       {"env", &labels, false, "Labels of hosts, which stand in /etc/nohalt/host.yaml."},
       {"cgroup", &cgroups, false, "Paths of cgroups, below the mount of the hierarchy."},
       {"container", &containers, false, "Ids of containers, as the cgroup names them."}},
      {"exe", "run_as", "build_id", "env", "cgroup", "container"});
  Shape source_rules = map_shape(
      {{"allow", &sources, false, "Source files, relative to source_root; others are denied."},
       {"deny", &sources, false, "Source files that are denied all the same."}},
      {"allow", "deny"});
  Shape function_rules =
      map_shape({{"allow", &functions, false, "Functions by their whole names; others are denied."},
                 {"deny", &functions, false, "Functions that are denied all the same."}},
                {"allow", "deny"});
  Shape totals = map_shape({{"probes", &many, false, "Probes that are armed at once."},
                            {"hits_per_second", &rate, false, "Hits a second, of all together."},
                            {"bytes_per_second", &size, false, "Bytes a second, of all together."},
                            {"cpu", &share, false, "Of one CPU, of all together."}},
                           {"probes", "hits_per_second", "bytes_per_second", "cpu"});
  Shape limits =
      map_shape({{"probes", &few, false, "Probes in one run."},
                 {"hits_per_second", &rate, false, "Hits a second of one probe."},
                 {"bytes_per_second", &size, false, "Bytes a second of one probe."},
                 {"lease", &duration, false, "How long a probe may be armed."},
                 {"cpu", &share, false, "Of one CPU, that one probe may take."},
                 {"hold", &duration, false, "The longest that a thread may be held while arming."},
                 {"snapshot", &size, false, "The largest record of one hit."},
                 {"resident", &size, false, "The largest process that a deep snapshot may copy."},
                 {"target", &totals, false, "Of all runs in one process."},
                 {"user", &totals, false, "Of all runs of the person who asks."},
                 {"host", &totals, false, "Of all runs on the host."},
                 {"exceed", &excess, false, "What becomes of more: lower (and say so) or refuse."}},
                {"probes", "hits_per_second", "bytes_per_second", "lease", "cpu", "hold",
                 "snapshot", "resident", "target", "user", "host", "exceed"});
  Shape require = map_shape({{"reason", &yes_no, false, "Whether --reason is needed."},
                             {"ticket", &pattern, false, "The form of --ticket, whole, in RE2."},
                             {"approvals", &people_count, false, "How many others must approve."}},
                            {"reason", "ticket", "approvals"});
  Shape role =
      map_shape({{"name", &name, true, "What verdicts call the role."},
                 {"members", &members, true, "Who has it."},
                 {"may", &rights, true, "What they may do."},
                 {"where", &where, true, "To which processes; every key that is here must match."},
                 {"sources", &source_rules, false, "In which source files; absent: in all."},
                 {"functions", &function_rules, false, "In which functions; absent: in all."},
                 {"limits", &limits, false, "How much; absent: the built-in limits."},
                 {"require", &require, false, "What is asked for besides; absent: nothing."},
                 {"until", &instant, false, "When the role ends; absent: never."},
                 {"break_glass", &yes_no, false, "Whether --break-glass goes without approvals."}});
  Shape roles = list_shape(&role);
  Shape deny_rule = map_shape({{"name", &name, false, "What verdicts call the rule."},
                               {"members", &members, false, "Whom it denies; absent: everybody."},
                               {"may", &rights, false, "What it denies; absent: everything."},
                               {"where", &where, false, "Which processes; absent: all."},
                               {"sources", &sources, false, "Which source files; absent: all."},
                               {"functions", &functions, false, "Which functions; absent: all."}},
                              {"members", "may", "where", "sources", "functions"});
  Shape deny_rules = list_shape(&deny_rule);
  Shape value_rule = [this] {
    Shape shape = map_shape({{"name", &name, true, "What stands in place of what it finds."},
                             {"pattern", &pattern, false, "How it looks, in RE2, if it is new."},
                             {"action", &action, false, "What becomes of what it finds."}});
    shape.kind = Shape::Kind::kTextOrMap;
    shape.words = ValueRules::known();
    return shape;
  }();
  Shape value_rules = list_shape(&value_rule);
  Shape redact = map_shape(
      {{"mode", &mode, false, "targeted, or strict: numbers and truth values only."},
       {"action", &action, false, "What becomes of what is hidden."},
       {"names", &name_rules, false, "Names of secrets, as runs of words."},
       {"types", &type_rules, false, "Types that are hidden."},
       {"sources", &redacted_sources, false, "Source files whose declarations are hidden."},
       {"values", &value_rules, false, "How secrets look."}},
      {"mode", "action", "names", "types", "sources", "values"});
  Shape audit = map_shape({{"file", &folder, true, "The trail that is always written."}});
  Shape policy =
      map_shape({{"version", &version, true, "1"},
                 {"source_root", &folder, false, "Where the sources were built."},
                 {"audit", &audit, false, "Where what happens is written down."},
                 {"roles", &roles, false, "Who may do what; the first that allows serves."},
                 {"deny", &deny_rules, false, "What nobody may do."},
                 {"redact", &redact, false, "What is never shown, besides the built-in."}});
  // A text, or the same with an action of its own.
  Shape read_rule(std::string_view key, const Shape& text, std::string_view about) const {
    Shape shape = map_shape({{key, &text, true, about},
                             {"action", &unread_action, false, "What stands in its place."}});
    shape.kind = Shape::Kind::kTextOrMap;
    shape.pattern = text.pattern;
    shape.expected = text.expected;
    return shape;
  }
  Shape host = map_shape({{"version", &version, true, "1"},
                          {"env", &labels, true, "What kind of host this is, such as [prod]."}});
};

const Shapes& shapes() {
  static const Shapes all;
  return all;
}

}  // namespace

const Shape& policy_shape() { return shapes().policy; }
const Shape& host_shape() { return shapes().host; }

const Shape& principal_shape() { return shapes().anybody; }
const Shape& principals_shape() { return shapes().people; }
const Shape& rights_shape() { return shapes().rights; }
const Shape& totals_shape() { return shapes().totals; }
const Shape& labels_shape() { return shapes().labels; }
const Shape& instant_shape() { return shapes().instant; }

std::string policy_json_schema() {
  return json_schema(policy_shape(), "nohalt policy",
                     "Who may probe what, and what is never shown. See docs/policy.md.");
}

std::optional<std::chrono::sys_seconds> parse_instant(std::string_view text) {
  static const RE2 kForm{std::string{kInstantPattern}};
  if (!RE2::FullMatch(text, kForm)) return std::nullopt;
  const auto digits = [&](std::size_t at, std::size_t count) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + count, value);
    return value;
  };
  using namespace std::chrono;
  const year_month_day day{year{digits(0, 4)}, month{static_cast<unsigned>(digits(5, 2))},
                           std::chrono::day{static_cast<unsigned>(digits(8, 2))}};
  const int hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  seconds offset{0};
  if (text[19] != 'Z') {
    if (digits(20, 2) > 23 || digits(23, 2) > 59) return std::nullopt;
    offset = hours{digits(20, 2)} + minutes{digits(23, 2)};
    if (text[19] == '-') offset = -offset;
  }
  return sys_days{day} + hours{hour} + minutes{minute} + seconds{second} - offset;
}

}  // namespace nohalt::policy
