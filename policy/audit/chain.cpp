// The chain, as pure functions over bytes. A line is whole where it is a JSON
// object with a `prev` of 64 characters; a prefix of such a line never is, so
// what a power cut leaves cannot be taken for a line.
#include <nlohmann/json.hpp>
#include <optional>

#include "policy/audit/digest.h"
#include "policy/audit/trail.h"

namespace nohalt::policy {

namespace {

struct Links {
  std::string previous;
  std::string torn;
};

std::optional<Links> links_of(std::string_view line) {
  const auto parsed = nlohmann::json::parse(line, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  const auto previous = parsed.find("prev");
  if (previous == parsed.end() || !previous->is_string()) return std::nullopt;
  Links links{previous->get<std::string>(), {}};
  if (links.previous.size() != kNoPrevious.size()) return std::nullopt;
  if (const auto torn = parsed.find("torn"); torn != parsed.end() && torn->is_string())
    links.torn = torn->get<std::string>();
  return links;
}

struct Line {
  std::string_view bytes;  // without the newline
  std::size_t begin;
};

std::vector<Line> lines_of(std::string_view content) {
  std::vector<Line> lines;
  std::size_t begin = 0;
  while (begin < content.size()) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    lines.push_back({content.substr(begin, end - begin), begin});
    begin = end + 1;
  }
  return lines;
}

// The hash of what lies between two whole lines. The newline that the next
// append puts behind it is no part of it.
std::string torn_hash(std::string_view bytes) {
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  return sha256_hex(bytes);
}

}  // namespace

TrailEnd read_trail_end(std::string_view tail) {
  TrailEnd end;
  end.needs_newline = !tail.empty() && !tail.ends_with('\n');
  const std::vector<Line> lines = lines_of(tail);
  std::size_t torn_from = 0;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!links_of(line->bytes)) continue;
    end.previous = sha256_hex(line->bytes);
    end.found_whole_line = true;
    torn_from = std::min(line->begin + line->bytes.size() + 1, tail.size());
    break;
  }
  if (torn_from < tail.size()) end.torn = torn_hash(tail.substr(torn_from));
  return end;
}

ChainReport verify_chain(std::string_view content) {
  ChainReport report;
  std::string expected{kNoPrevious};
  std::optional<std::size_t> torn_from;
  std::uint64_t torn_count = 0;
  std::uint64_t number = 0;
  const auto fault = [&](std::string_view what) {
    report.faults.push_back("line " + std::to_string(number) + ": " + std::string{what});
  };
  for (const Line& line : lines_of(content)) {
    ++number;
    const auto links = links_of(line.bytes);
    if (!links) {
      torn_from = torn_from.value_or(line.begin);
      ++torn_count;
      continue;
    }
    ++report.whole_lines;
    const std::string torn =
        torn_from ? torn_hash(content.substr(*torn_from, line.begin - *torn_from)) : std::string{};
    if (links->torn != torn)
      fault("what stands before it is not what was there when it was written.");
    else
      report.torn_lines += torn_count;
    if (links->previous != expected) fault("it does not follow the line before it.");
    expected = sha256_hex(line.bytes);
    torn_from.reset();
    torn_count = 0;
  }
  if (torn_from) fault("half-written, and no later line vouches for it.");
  return report;
}

}  // namespace nohalt::policy
