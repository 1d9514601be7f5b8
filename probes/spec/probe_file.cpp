// yaml-cpp gives a tree of marked nodes; each key is read by one small function
// and every complaint carries the mark of the node it is about.
#include "probes/spec/probe_file.h"

#include <yaml-cpp/yaml.h>

#include <string>
#include <utility>

#include "src/base/escape.h"
#include "src/base/units.h"

namespace nohalt::spec {

namespace {

constexpr std::string_view kKeys =
    "at, message, if, capture, limit, hits, for, cpu, depth, stack, allow-stop";

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(escape_untrusted(name).text) {}

  Result<std::vector<ProbeSpec>> read(const YAML::Node& root, const ProbeSpec& defaults) const {
    const bool has_list = root.IsMap() && root["probes"] && root["probes"].IsSequence();
    if (!has_list || root.size() != 1)
      return wrong(root.Mark(), "The file must hold one key, `probes`, with a list of probes.");
    const YAML::Node list = root["probes"];
    if (list.size() == 0 || list.size() > kMostProbes)
      return wrong(list.Mark(), "A file holds from 1 to " + std::to_string(kMostProbes) +
                                    " probes; this one holds " + std::to_string(list.size()) + ".");
    std::vector<ProbeSpec> probes;
    for (const YAML::Node& node : list) {
      NOHALT_TRY(ProbeSpec probe, read_probe(node, defaults));
      probes.push_back(std::move(probe));
    }
    return probes;
  }

  std::unexpected<Error> wrong(const YAML::Mark& mark, std::string message,
                               std::string hint = {}) const {
    std::string place = name_;
    if (!mark.is_null())
      place += ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
    return fail(ErrorCode::kUsage, "malformed-probe-file", place + ": " + std::move(message),
                std::move(hint));
  }

 private:
  Result<ProbeSpec> read_probe(const YAML::Node& node, const ProbeSpec& defaults) const {
    if (!node.IsMap()) return wrong(node.Mark(), "A probe is a map of keys such as `at`.");
    ProbeSpec probe = defaults;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return wrong(entry.first.Mark(), "A key must be plain text.");
      NOHALT_CHECK(read_key(entry.first, entry.second, probe));
    }
    if (probe.location.empty())
      return wrong(node.Mark(), "A probe needs `at`, the place in the source.",
                   "Write for example: at: orders.c:142");
    const bool is_log = probe.kind == ProbeKind::kLog;
    if (!is_log && !probe.message.empty())
      return wrong(node.Mark(), "A snapshot has no `message`.",
                   "Leave it out, or give the file to nohalt log.");
    if (is_log && probe.message.empty())
      return wrong(node.Mark(), "A probe needs `message`, the text to write at each hit.",
                   "Write for example: message: \"order {id}\"");
    return probe;
  }

  Result<std::string> text(const YAML::Node& node) const {
    if (!node.IsScalar() || node.Scalar().empty())
      return wrong(node.Mark(), "Plain text is expected here.");
    return node.Scalar();
  }

  // Reads a quantity, and names the place in the file where it is wrong.
  template <class Parser>
  auto quantity(const YAML::Node& node, Parser parse) const -> decltype(parse(std::string_view{})) {
    NOHALT_TRY(const std::string words, text(node));
    auto value = parse(std::string_view{words});
    if (!value) return wrong(node.Mark(), value.error().message, value.error().hint);
    return value;
  }

  Status read_key(const YAML::Node& key, const YAML::Node& value, ProbeSpec& probe) const {
    const std::string& name = key.Scalar();
    if (name == "at") return assign(probe.location, text(value));
    if (name == "message") return assign(probe.message, text(value));
    if (name == "if") return assign(probe.condition, text(value));
    if (name == "limit") return assign(probe.limits.hits_per_second, quantity(value, parse_rate));
    if (name == "for") return assign(probe.limits.lease, quantity(value, parse_duration));
    if (name == "cpu") return assign(probe.limits.cpu_share, quantity(value, parse_percent));
    if (name == "hits") return assign(probe.limits.hits, quantity(value, parse_hits));
    if (name == "depth") return assign(probe.size.depth, quantity(value, parse_depth));
    if (name == "stack") return assign(probe.stack_frames, read_stack(value));
    if (name == "allow-stop") return read_stop(value, probe);
    if (name == "capture") return read_captures(value, probe);
    return wrong(key.Mark(), "Unknown key \"" + escape_untrusted(name).text + "\".",
                 "The keys of a probe are " + std::string{kKeys} + ".");
  }

  Result<std::uint32_t> read_stack(const YAML::Node& value) const {
    NOHALT_TRY(const std::string words, text(value));
    if (words == "true") return kMostFrames;
    NOHALT_TRY(const std::uint64_t frames, quantity(value, [](std::string_view number) {
                 return parse_count(number, "a number of frames", kMostFrames);
               }));
    return static_cast<std::uint32_t>(frames);
  }

  Status read_stop(const YAML::Node& value, ProbeSpec& probe) const {
    NOHALT_TRY(const std::string words, text(value));
    probe.allow_stop = words != "false";
    if (words == "true" || words == "false") return {};
    return assign(probe.limits.hold, quantity(value, parse_duration));
  }

  Status read_captures(const YAML::Node& value, ProbeSpec& probe) const {
    if (!value.IsSequence()) return wrong(value.Mark(), "`capture` is a list of expressions.");
    probe.captures.clear();
    for (const YAML::Node& item : value) {
      NOHALT_TRY(std::string expression, text(item));
      probe.captures.push_back(std::move(expression));
    }
    return {};
  }

  template <class To, class From>
  static Status assign(To& to, Result<From> from) {
    if (!from) return std::unexpected(std::move(from).error());
    to = std::move(*from);
    return {};
  }

  std::string name_;
};

}  // namespace

Result<std::vector<ProbeSpec>> parse_probe_file(std::string_view yaml, std::string_view name,
                                                const ProbeSpec& defaults) {
  const Reader reader(name);
  if (yaml.size() > kLargestProbeFile)
    return reader.wrong(YAML::Mark::null_mark(), "The file is larger than 1 MiB.");
  try {
    return reader.read(YAML::Load(std::string{yaml}), defaults);
  } catch (const YAML::Exception& problem) {
    return reader.wrong(problem.mark, escape_untrusted(problem.msg).text + ".");
  }
}

}  // namespace nohalt::spec
