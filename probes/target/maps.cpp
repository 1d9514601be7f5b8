// Parses the text of /proc/PID/maps and smaps (proc_pid_maps(5), proc_pid_smaps(5)).
#include "probes/target/maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "probes/target/target_gone.h"
#include "src/base/file.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

namespace {

// Takes text from the front of a line, a field at a time.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}

  std::optional<std::uint64_t> number(int base, char after) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc{}) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (after != '\0') {
      if (rest_.empty() || rest_.front() != after) return std::nullopt;
      rest_.remove_prefix(1);
    }
    return value;
  }

  std::string_view take(std::size_t count) {
    const auto text = rest_.substr(0, count);
    rest_.remove_prefix(text.size());
    return text;
  }

  std::string_view trimmed_rest() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    return rest_;
  }

 private:
  std::string_view rest_;
};

// The kernel writes a newline in a name as \012 and leaves all else alone.
std::string unescape(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.substr(i, 4) == "\\012") {
      out.push_back('\n');
      i += 3;
    } else {
      out.push_back(name[i]);
    }
  }
  return out;
}

std::optional<Mapping> parse_line(std::string_view line) {
  Fields fields(line);
  const auto begin = fields.number(16, '-');
  const auto end = fields.number(16, ' ');
  const auto permissions = fields.take(5);
  const auto offset = fields.number(16, ' ');
  const auto major = fields.number(16, ':');
  const auto minor = fields.number(16, ' ');
  const auto inode = fields.number(10, '\0');
  if (!begin || !end || *begin >= *end || permissions.size() != 5 || !offset || !major || !minor ||
      !inode)
    return std::nullopt;
  Mapping mapping;
  mapping.range = {{*begin}, {*end}};
  mapping.readable = permissions[0] == 'r';
  mapping.writable = permissions[1] == 'w';
  mapping.executable = permissions[2] == 'x';
  mapping.shared = permissions[3] == 's';
  mapping.offset = *offset;
  mapping.file = {static_cast<std::uint32_t>(*major), static_cast<std::uint32_t>(*minor), *inode};
  std::string_view name = fields.trimmed_rest();
  constexpr std::string_view kDeleted = " (deleted)";
  if (*inode != 0 && name.ends_with(kDeleted)) {
    mapping.deleted = true;
    name.remove_suffix(kDeleted.size());
  }
  mapping.path = unescape(name);
  return mapping;
}

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::uint64_t kilobytes(std::string_view value) {
  return Fields(Fields(value).trimmed_rest()).number(10, '\0').value_or(0) * 1024;
}

void add_fact(MappingFacts& facts, std::string_view key, std::string_view value) {
  if (key == "Private_Dirty") facts.private_dirty = kilobytes(value);
  if (key == "Anonymous") facts.anonymous = kilobytes(value);
  if (key == "AnonHugePages" || key == "FilePmdMapped" || key == "Shared_Hugetlb" ||
      key == "Private_Hugetlb" || key == "ShmemPmdMapped")
    facts.huge += kilobytes(value);
  if (key != "VmFlags") return;
  for (std::size_t at = 0; at < value.size();) {
    at = value.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return;
    const auto end = std::min(value.find(' ', at), value.size());
    facts.flags.emplace_back(value.substr(at, end - at));
    at = end;
  }
}

}  // namespace

const Mapping* Maps::find(RuntimeAddress address) const {
  const auto after = std::ranges::upper_bound(mappings_, address, {},
                                              [](const Mapping& m) { return m.range.begin; });
  if (after == mappings_.begin()) return nullptr;
  const Mapping& candidate = *std::prev(after);
  return candidate.range.contains(address) ? &candidate : nullptr;
}

bool Maps::overlaps(const RuntimeRange& range) const {
  return std::ranges::any_of(mappings_, [&](const Mapping& m) { return m.range.overlaps(range); });
}

bool MappingFacts::has_flag(std::string_view flag) const {
  return std::ranges::find(flags, flag) != flags.end();
}

Result<Maps> parse_maps(std::string_view text) {
  std::vector<Mapping> mappings;
  while (!text.empty()) {
    const auto line = next_line(text);
    auto mapping = parse_line(line);
    if (!mapping)
      return fail(ErrorCode::kInternal, "unreadable-maps",
                  "A line of the mappings list makes no sense: " + std::string(line));
    mappings.push_back(std::move(*mapping));
  }
  std::ranges::sort(mappings, {}, [](const Mapping& m) { return m.range.begin; });
  return Maps(std::move(mappings));
}

Result<Maps> read_maps(pid_t pid) {
  NOHALT_TRY(const std::string text, read_file("/proc/" + std::to_string(pid) + "/maps"));
  return parse_maps(text);
}

Result<MappingFacts> parse_mapping_facts(std::string_view smaps, RuntimeAddress start) {
  MappingFacts facts;
  bool inside = false;
  while (!smaps.empty()) {
    const auto line = next_line(smaps);
    if (const auto mapping = parse_line(line)) {
      if (inside) break;
      inside = mapping->range.begin == start;
      continue;
    }
    const auto colon = line.find(':');
    if (inside && colon != std::string_view::npos)
      add_fact(facts, line.substr(0, colon), line.substr(colon + 1));
  }
  if (!facts.flags.empty()) return facts;
  return fail(ErrorCode::kRefused, "no-such-mapping",
              "No mapping of the target starts at the expected address.",
              "The target changed its mappings meanwhile: try again.");
}

// A read of less than one entry makes the kernel walk one mapping only, so those
// after the one that is wanted (a heap of many gigabytes) are not walked at all.
Result<MappingFacts> read_mapping_facts(pid_t pid, RuntimeAddress start) {
  const std::string path = "/proc/" + std::to_string(pid) + "/smaps";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_on_target("open", path, errno);
  std::string text;
  std::array<char, 256> piece{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_on_target("read", path, errno);
    text.append(piece.data(), static_cast<std::size_t>(n));
    // VmFlags is the last line of an entry; the next one may have begun.
    const auto flags = text.rfind("\nVmFlags:");
    const auto end = flags == std::string::npos ? flags : text.find('\n', flags + 1);
    if (end == std::string::npos && n != 0) continue;
    auto facts = parse_mapping_facts(text, start);
    if (facts || n == 0) return facts;
    text.erase(0, end + 1);
  }
}

}  // namespace nohalt::target
