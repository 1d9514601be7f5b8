// First each probe by itself (lowering.h), then the three totals in turn.
#include "policy/limits/shares.h"

#include <fmt/format.h>

#include <algorithm>

namespace nohalt::policy {

namespace {

constexpr const char* kLaterHint = "Wait until other runs end; nohalt list shows them.";

class Sharing {
 public:
  Sharing(SharedLimits& shared, bool refuse_excess)
      : shared_(shared), refuse_excess_(refuse_excess) {}

  void keep(const char* of, const Totals& most, const std::optional<Usage>& usage) {
    if (!most.is_limited() || !shared_.refusal.empty()) return;
    if (!usage) {
      refuse(fmt::format("it limits what runs {} take together, which cannot be counted here", of),
             "Run as root, who sees all runs.");
      return;
    }
    const auto count = static_cast<std::uint32_t>(shared_.probes.size());
    if (most.probes && usage->probes + count > *most.probes) {
      refuse(fmt::format("{} probes {} are as many as it allows, and {} are armed", *most.probes,
                         of, usage->probes),
             kLaterHint);
      return;
    }
    const bool limits_rates = most.hits_per_second || most.bytes_per_second || most.cpu_share;
    if (limits_rates && usage->probes > 0 && !usage->has_rates) {
      refuse(fmt::format("it limits what runs {} take together, and what the armed ones may take "
                         "is not known",
                         of),
             kLaterHint);
      return;
    }
    lower(of, "hits a second", &Limits::hits_per_second, most.hits_per_second,
          usage->hits_per_second);
    lower(of, "bytes a second", &Limits::bytes_per_second, most.bytes_per_second,
          usage->bytes_per_second);
    lower(of, "CPU", &Limits::cpu_share, most.cpu_share, usage->cpu_share);
  }

 private:
  void refuse(std::string why, const char* hint) {
    shared_.refusal = std::move(why);
    shared_.hint = hint;
  }

  static std::string spell(std::uint64_t amount) { return std::to_string(amount); }
  static std::string spell(double share) { return percent_text(share); }

  template <class T>
  void lower(const char* of, const char* what, T Limits::* member, const std::optional<T>& most,
             T used) {
    if (!most || !shared_.refusal.empty()) return;
    const T left = *most > used ? *most - used : T{};
    const T each = left / static_cast<T>(shared_.probes.size());
    if (!(each > T{})) {
      refuse(fmt::format("other runs {} use up the {} that it allows", of, what), kLaterHint);
      return;
    }
    bool lowered = false;
    for (Limits& probe : shared_.probes) {
      if (!(probe.*member > each)) continue;
      probe.*member = each;
      lowered = true;
    }
    if (!lowered) return;
    if (refuse_excess_) {
      refuse(fmt::format("it allows {} {} {} and lowers nothing, and other runs have {}",
                         spell(*most), what, of, spell(used)),
             "Ask for less.");
      return;
    }
    shared_.notes.push_back(
        fmt::format("{} were lowered to {} for each probe: what is left {} of {}.", what,
                    spell(each), of, spell(*most)));
  }

  SharedLimits& shared_;
  bool refuse_excess_;
};

}  // namespace

Limits maxima_of(const RoleLimits& limits) {
  Limits most = builtin_maxima();
  if (limits.probes) most.probes = *limits.probes;
  if (limits.hits_per_second) most.hits_per_second = *limits.hits_per_second;
  if (limits.bytes_per_second) most.bytes_per_second = *limits.bytes_per_second;
  if (limits.lease) most.lease = *limits.lease;
  if (limits.cpu_share) most.cpu_share = *limits.cpu_share;
  if (limits.hold) most.hold = *limits.hold;
  if (limits.snapshot_bytes) most.snapshot_bytes = *limits.snapshot_bytes;
  return most;
}

SharedLimits share_limits(const RoleLimits& limits, const std::vector<AskedLimits>& asked,
                          const SharedUsage& usage, std::optional<std::chrono::milliseconds> left) {
  SharedLimits shared;
  if (asked.empty()) return shared;
  Limits most = maxima_of(limits);
  if (left) most.lease = std::min(most.lease, *left);
  if (asked.size() > most.probes) {
    shared.refusal = fmt::format("{} probes are asked for, and it allows {} in a run", asked.size(),
                                 most.probes);
    shared.hint = "Arm them in several runs.";
    return shared;
  }
  for (const AskedLimits& one : asked) {
    LoweredLimits lowered = lower_limits(one, Limits{}, most);
    shared.probes.push_back(lowered.granted);
    for (std::string& note : lowered.notes)
      if (std::ranges::find(shared.notes, note) == shared.notes.end())
        shared.notes.push_back(std::move(note));
  }
  if (limits.refuse_excess && !shared.notes.empty()) {
    shared.refusal = "more is asked for than it allows: " + shared.notes.front();
    shared.refusal.pop_back();
    shared.hint = "Ask for less.";
    return shared;
  }
  Sharing sharing(shared, limits.refuse_excess);
  sharing.keep("on this process", limits.target, usage.target);
  sharing.keep("of this user", limits.user, usage.user);
  sharing.keep("on this host", limits.host, usage.host);
  return shared;
}

}  // namespace nohalt::policy
