// The view over a DebugInfo; and near names by edit distance (Damerau's
// optimal string alignment: a swap of neighbours is one edit).
#include "probes/language/scope.h"

#include <algorithm>
#include <utility>

namespace nohalt::language {

namespace {

class DebugScope final : public ScopeView {
 public:
  DebugScope(const symbols::DebugInfo& debug, symbols::LineSite site,
             std::vector<symbols::Variable> locals, std::vector<symbols::Variable> known)
      : debug_(debug),
        site_(std::move(site)),
        locals_(std::move(locals)),
        known_(std::move(known)) {}

  const std::vector<symbols::Variable>& locals() const override { return locals_; }
  Result<std::optional<symbols::Variable>> find_global(std::string_view name) const override {
    NOHALT_TRY(auto found, debug_.find_global(name, site_.pc));
    if (found) return found;
    const auto known = std::ranges::find(known_, name, &symbols::Variable::name);
    return known != known_.end() ? std::optional(*known) : std::nullopt;
  }
  const symbols::Type* find_type(std::string_view name) const override {
    return debug_.find_type(name, site_.pc);
  }
  std::string function() const override { return site_.function; }
  std::uint32_t line() const override { return site_.line; }

 private:
  const symbols::DebugInfo& debug_;
  symbols::LineSite site_;
  std::vector<symbols::Variable> locals_;
  std::vector<symbols::Variable> known_;
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

Result<std::unique_ptr<ScopeView>> scope_at(const symbols::DebugInfo& debug,
                                            const symbols::LineSite& site,
                                            std::vector<symbols::Variable> known) {
  NOHALT_TRY(auto locals, debug.variables_at(site.pc));
  return std::make_unique<DebugScope>(debug, site, std::move(locals), std::move(known));
}

std::vector<std::string> near_names(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kLongest = 64;
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& candidate : known) {
    if (candidate.empty() || candidate.size() > kLongest || name.size() > kLongest) continue;
    const std::size_t distance = edits(name, candidate);
    const bool begins = name.size() >= 3 && candidate.starts_with(name);
    const std::size_t allowed = std::max<std::size_t>(1, name.size() / 3);
    if (distance <= allowed || begins) found.emplace_back(distance, candidate);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.size() && i < 3; ++i) names.push_back(found[i].second);
  return names;
}

}  // namespace nohalt::language
