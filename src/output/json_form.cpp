// The JSON form: names and their order are promises (docs/formats.md).
#include <algorithm>
#include <cmath>

#include "src/base/time_text.h"
#include "src/output/forms.h"
#include "src/output/json.h"

namespace nohalt::output {

namespace {

void begin(ObjectBuilder& object, const char* kind, std::int64_t wall_ns) {
  object.set("schema", 1);
  object.set("kind", kind);
  object.set("time", rfc3339_utc(wall_ns));
}

Json value_json(const Value& value) {
  ObjectBuilder object;
  object.text("role", value.role);
  object.text("type", value.type);
  object.text("declared_type", value.declared_type);
  if (value.distance != 0) object.number("distance", value.distance);
  object.text("dynamic_type", value.dynamic_type);
  object.text("kind", value.kind);
  if (value.size) object.number("size", *value.size);
  if (!value.json.empty()) {
    Json parsed = Json::parse(value.json, nullptr, false);
    object.set("value", parsed.is_discarded() ? Json(value.json) : std::move(parsed));
  }
  object.text("symbol", value.symbol);
  object.text("state", value.state);
  object.text("why", value.why);
  Json finished = object.finish();
  if (value.bytes_escaped) finished["encoding"] = "escaped";
  return finished;
}

constexpr std::string_view kReturnRole = "return";

Json values_json(const std::vector<Value>& values) {
  ObjectBuilder object;
  for (const Value& value : values)
    if (value.role != kReturnRole) object.set(value.name, value_json(value));
  return object.finish();
}

void put_call(ObjectBuilder& object, const Hit& hit) {
  for (const Value& value : hit.values) {
    if (value.role != kReturnRole) continue;
    Value returned = value;
    returned.role.clear();
    object.set("return", value_json(returned));
  }
  object.set("returned", hit.call->is_seen);
  object.text("why", hit.call->why);
  if (hit.call->is_seen)
    object.number("elapsed_ns", static_cast<std::uint64_t>(hit.call->elapsed_ns));
}

Json frames_json(const std::vector<Frame>& frames) {
  Json all = Json::array();
  for (const Frame& frame : frames) {
    ObjectBuilder object;
    object.text("function", frame.function);
    object.text("file", frame.file);
    object.number_if("line", frame.line);
    object.text("module", frame.module);
    if (frame.is_inlined) object.set("inlined", true);
    if (frame.is_signal) object.set("signal", true);
    object.set_if("values", values_json(frame.values));
    all.push_back(object.finish());
  }
  return all;
}

// Costs are measurements: a tenth of a nanosecond is more than they are good for.
double rounded(double ns) { return std::isfinite(ns) ? std::round(ns * 10) / 10 : 0; }

void put_counters(ObjectBuilder& object, const Counters& counters) {
  object.number("hits", counters.hits);
  object.number("matched", counters.matched);
  object.number("recorded", counters.recorded);
  object.number("suppressed", counters.suppressed);
  object.number("dropped", counters.dropped);
  object.number_if("condition_unavailable", counters.condition_unavailable);
  object.set("cost", {{"mean_ns", rounded(counters.mean_cost_ns)},
                      {"worst_ns", rounded(counters.worst_cost_ns)}});
}

std::uint64_t count_of(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
}

Json removal_json(const Receipt& receipt) {
  ObjectBuilder object;
  if (receipt.target_gone) {
    object.set("target_gone", true);
  } else {
    object.set("text_restored", receipt.text_restored);
    object.set("mappings_as_before", receipt.mappings_as_before);
    object.set("descriptors_as_before", receipt.descriptors_as_before);
    object.set("threads_as_before", receipt.threads_as_before);
  }
  object.texts("left", receipt.left);
  object.texts("unloaded", receipt.unloaded);
  return object.finish();
}

void put_origin(ObjectBuilder& object, const Origin& origin) {
  object.text("exe", origin.exe);
  object.text("build_id", origin.build_id);
  object.text("service", origin.service);
  object.text("version", origin.version);
}

}  // namespace

std::string hit_json(const Origin& origin, const Hit& hit) {
  ObjectBuilder object;
  const char* kind = hit.is_snapshot ? "snapshot" : "log";
  begin(object, hit.call ? "call" : kind, hit.wall_ns);
  object.number("seq", hit.seq);
  object.text("probe", hit.probe);
  object.text("host", origin.host);
  object.number("pid", static_cast<std::uint64_t>(origin.pid));
  object.number_if("tid", hit.tid);
  object.text("thread", hit.thread);
  put_origin(object, origin);
  object.text("file", hit.file);
  object.number_if("line", hit.line);
  object.text("function", hit.function);
  object.text("module", hit.module);
  object.text("module_build_id", hit.module_build_id);
  object.text("message", hit.message);
  object.set_if("values", values_json(hit.values));
  if (hit.call) put_call(object, hit);
  if (hit.error_number) object.set("errno", value_json(*hit.error_number));
  object.set_if("frames", frames_json(hit.frames));
  object.text("stack_end", hit.stack_end);
  object.text("stack_end_why", hit.stack_end_why);
  object.number("suppressed", hit.suppressed);
  object.number("dropped", hit.dropped);
  object.text("engine", origin.engine);
  return json_line(object.finish());
}

std::string notice_json(const Origin& origin, const Notice& notice) {
  ObjectBuilder object;
  begin(object, "notice", notice.wall_ns);
  object.text("probe", notice.probe);
  object.text("run", origin.run);
  object.text("host", origin.host);
  object.number("pid", static_cast<std::uint64_t>(origin.pid));
  object.text("reason", notice.reason);
  object.text("message", notice.message);
  return json_line(object.finish());
}

std::string receipt_json(const Origin& origin, const Receipt& receipt) {
  ObjectBuilder object;
  begin(object, "receipt", receipt.wall_ns);
  object.text("run", origin.run);
  object.text("host", origin.host);
  object.number("pid", static_cast<std::uint64_t>(origin.pid));
  put_origin(object, origin);
  object.text("outcome", receipt.outcome);
  object.number("lasted_ms", count_of(receipt.lasted) / 1'000'000);
  object.set("holds", {{"count", receipt.holds},
                       {"longest_ns", json_number(count_of(receipt.longest_hold))},
                       {"total_ns", json_number(count_of(receipt.total_hold))}});
  put_counters(object, receipt.total);
  object.number("lost_output", receipt.lost_output);
  Json probes = Json::array();
  if (receipt.probes.size() > 1) {
    for (const ProbeCounters& probe : receipt.probes) {
      ObjectBuilder one;
      one.text("probe", probe.probe);
      one.text("location", probe.location);
      put_counters(one, probe.counters);
      probes.push_back(one.finish());
    }
  }
  object.set_if("probes", std::move(probes));
  object.set("removal", removal_json(receipt));
  object.texts("lowered", receipt.lowered);
  Json redactions = Json::object();
  for (const auto& [rule, count] : receipt.redactions) redactions[rule] = json_number(count);
  object.set_if("redactions", std::move(redactions));
  object.text("output_salt", receipt.output_salt);
  object.text("engine", origin.engine);
  return json_line(object.finish());
}

}  // namespace nohalt::output
