// See the header.

#include "tests/unit/inline_sites/census.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace nohalt::inline_sites {
namespace {

void add_line(std::string& out, std::string_view name, std::uint64_t count, std::uint64_t total) {
  std::array<char, 96> line{};
  const double share =
      total == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(total);
  std::snprintf(line.data(), line.size(), "  %-26.*s %10llu  %6.2f %%\n",
                static_cast<int>(name.size()), name.data(), static_cast<unsigned long long>(count),
                share);
  out += line.data();
}

}  // namespace

std::expected<Window, SiteRefusal> SiteCensus::add(const FunctionCode& code, LinkAddress pc,
                                                   const SiteContext& context) {
  auto window = choose_window(code, pc, context);
  ++total_;
  if (window) {
    ++kinds_[static_cast<std::size_t>(window->kind)];
  } else {
    ++refusals_[window.error()];
  }
  return window;
}

std::uint64_t SiteCensus::count(SiteRefusal refusal) const {
  const auto found = refusals_.find(refusal);
  return found == refusals_.end() ? 0 : found->second;
}

std::uint64_t SiteCensus::without_stop() const {
  return count(WindowKind::kJump) + count(WindowKind::kPunnedJump) + count(WindowKind::kEvicted);
}

std::string SiteCensus::report() const {
  std::string out;
  add_line(out, "places", total_, total_);
  add_line(out, "nobody stopped", without_stop(), total_);
  add_line(out, "one instruction", count(WindowKind::kJump), total_);
  add_line(out, "punned jump", count(WindowKind::kPunnedJump), total_);
  add_line(out, "eviction", count(WindowKind::kEvicted), total_);
  std::vector<std::pair<SiteRefusal, std::uint64_t>> sorted(refusals_.begin(), refusals_.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [refusal, count] : sorted) {
    add_line(out, describe(refusal).token, count, total_);
  }
  return out;
}

}  // namespace nohalt::inline_sites
