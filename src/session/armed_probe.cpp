// One record at a time; thread names are read once and kept.
#include "src/session/armed_probe.h"

#include "probes/records/values/decode.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

// Names of threads that come and go must not pile up.
constexpr std::size_t kMostNames = 4096;

output::Value shown_value(const values::NamedValue& named, bool in_message) {
  output::Value value;
  value.name = named.name;
  value.type = named.value.type;
  value.state = values::state_name(named.value.state);
  value.why = named.value.why;
  value.json = values::content_json(named.value, value.bytes_escaped);
  value.in_message = in_message;
  return value;
}

}  // namespace

std::vector<SiteIndex> index_sites(const std::vector<PreparedProbe>& probes) {
  std::vector<SiteIndex> sites;
  for (std::uint32_t number = 0; number < probes.size(); ++number)
    for (const PreparedSite& site : probes[number].sites)
      if (site.capture) sites.push_back({&probes[number], &site, number});
  return sites;
}

std::string probe_name(const std::string& run, std::uint32_t number, std::size_t count) {
  return count == 1 ? run : run + "." + std::to_string(number + 1);
}

const std::string& HitMaker::thread_name(std::uint32_t tid) {
  if (const auto known = names_.find(tid); known != names_.end()) return known->second;
  if (names_.size() >= kMostNames) names_.clear();
  std::string name;
  if (tid != 0) {
    auto comm =
        read_file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(tid) + "/comm");
    if (comm && comm->ends_with('\n')) comm->pop_back();
    if (comm) name = std::move(*comm);
  }
  return names_[tid] = std::move(name);
}

output::Hit HitMaker::make(const engines::RawRecord& record) {
  const SiteIndex& at = sites_[record.site];
  const values::HitFacts facts{pid_, static_cast<std::int64_t>(record.tid)};
  const auto decoded = values::decode(at.site->capture->layout, record.body, facts);
  output::Hit hit;
  hit.wall_ns = record.wall_ns;
  hit.seq = record.seq;
  hit.probe = probe_name(run_, at.probe_number, count_);
  hit.tid = record.tid;
  hit.thread = thread_name(record.tid);
  hit.file = at.site->line.file;
  hit.line = at.site->line.line;
  hit.function = at.site->line.function;
  const std::size_t in_message = at.site->message.values.size();
  hit.message = values::render(at.site->message, std::span(decoded).first(in_message));
  for (std::size_t i = 0; i < decoded.size(); ++i)
    hit.values.push_back(shown_value(decoded[i], i < in_message));
  hit.suppressed = record.suppressed;
  hit.dropped = record.dropped;
  return hit;
}

}  // namespace nohalt::session
