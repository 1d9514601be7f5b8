// The text form: a hit is one line, whatever its message holds.
#include <fmt/format.h>

#include <algorithm>

#include "src/base/escape.h"
#include "src/base/time_text.h"
#include "src/output/forms.h"

namespace nohalt::output {

namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

// Microseconds are what a reader of a log line can use.
std::string short_time(std::int64_t wall_ns) {
  std::string time = rfc3339_utc(wall_ns);
  return time.substr(0, time.size() - 4) + "Z";
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string value_text(const Value& value) {
  const std::string name = make_printable(value.name);
  if (value.json.empty()) {
    std::string state = value.state;
    std::ranges::replace(state, '_', ' ');
    const std::string why = value.why.empty() ? "" : ": " + make_printable(value.why);
    return fmt::format("{}=<{}{}>", name, state, why);
  }
  const char* mark = value.state == "truncated" ? " (truncated)" : "";
  return fmt::format("{}={}{}", name, make_printable(value.json), mark);
}

std::string nanoseconds_text(double ns) {
  if (!(ns > 0)) return "0 ns";
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.1f} us", ns / 1e3);
  return fmt::format("{:.1f} ms", ns / 1e6);
}

std::string nanoseconds_text(std::chrono::nanoseconds duration) {
  return nanoseconds_text(static_cast<double>(duration.count()));
}

std::string counts_line(const Counters& counters) {
  std::string line =
      fmt::format("{} ({} matched, {} recorded, {} over the limit, {} lost)", counters.hits,
                  counters.matched, counters.recorded, counters.suppressed, counters.dropped);
  if (counters.condition_unavailable > 0)
    line += fmt::format("; {} where the condition had no value", counters.condition_unavailable);
  return line;
}

std::string removal_line(const Receipt& receipt) {
  if (receipt.target_gone) return "the process is gone, and the probes with it";
  std::string not_as_before;
  const auto check = [&](bool good, const char* what) {
    if (!good) not_as_before += (not_as_before.empty() ? "" : ", ") + std::string{what};
  };
  check(receipt.text_restored, "text");
  check(receipt.mappings_as_before, "mappings");
  check(receipt.descriptors_as_before, "descriptors");
  check(receipt.threads_as_before, "threads");
  if (not_as_before.empty()) return "text, mappings, descriptors and threads are as before";
  return "NOT shown to be as before: " + not_as_before;
}

}  // namespace

// A call's message begins with the function's name.
std::string call_text(const Hit& hit) {
  std::string text = " " + make_printable(hit.message);
  if (!hit.call->is_seen) return text + "  [" + make_printable(hit.call->why) + "]";
  return text + "  [" + nanoseconds_text(static_cast<double>(hit.call->elapsed_ns)) + "]";
}

std::string hit_text(const Hit& hit, bool colour) {
  std::string line{colour ? kDim : ""};
  line += short_time(hit.wall_ns);
  if (!hit.thread.empty() || hit.tid != 0) line += " " + make_printable(hit.thread);
  if (hit.tid != 0) line += fmt::format("[{}]", hit.tid);
  if (hit.call) {
    line += colour ? kPlain : "";
    return line + call_text(hit) + "\n";
  }
  if (!hit.function.empty()) line += " " + make_printable(hit.function);
  if (!hit.file.empty())
    line += fmt::format(" {}:{}", make_printable(base_name(hit.file)), hit.line);
  line += colour ? kPlain : "";
  line += "  " + make_printable(hit.message);
  for (const Value& value : hit.values)
    if (!value.in_message) line += "  " + value_text(value);
  return line + "\n";
}

std::string notice_text(const Notice& notice, bool colour) {
  const std::string probe = notice.probe.empty() ? "" : make_printable(notice.probe) + ": ";
  return fmt::format("{}nohalt:{} {}{}\n", colour ? kYellow : "", colour ? kPlain : "", probe,
                     make_printable(notice.message));
}

std::string receipt_text(const Receipt& receipt) {
  std::string text =
      fmt::format("nohalt: taken off after {:.1f} s: {}\n",
                  static_cast<double>(receipt.lasted.count()) / 1000, receipt.outcome);
  const auto row = [&text](std::string_view name, std::string_view what) {
    text += fmt::format("  {:<9}{}\n", name, what);
  };
  row("hits", counts_line(receipt.total));
  if (receipt.probes.size() > 1)
    for (const ProbeCounters& probe : receipt.probes)
      row("", make_printable(probe.location) + ": " + counts_line(probe.counters));
  row("cost", fmt::format("mean {}, worst {} a hit", nanoseconds_text(receipt.total.mean_cost_ns),
                          nanoseconds_text(receipt.total.worst_cost_ns)));
  row("holds",
      fmt::format("{} (longest {}, {} in all)", receipt.holds,
                  nanoseconds_text(receipt.longest_hold), nanoseconds_text(receipt.total_hold)));
  row("removal", removal_line(receipt));
  for (const std::string& left : receipt.left) row("left", make_printable(left));
  for (const std::string& library : receipt.unloaded)
    row("unloaded", make_printable(library) + ", and what was in it went with it");
  if (receipt.lost_output > 0)
    row("output",
        fmt::format("{} records were lost: the reader was too slow", receipt.lost_output));
  for (const auto& [rule, count] : receipt.redactions)
    row("redacted", fmt::format(" {} by the rule {}", count, make_printable(rule)));
  return text;
}

}  // namespace nohalt::output
