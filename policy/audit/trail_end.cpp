// Read from the back: the last whole line gives the links, and the lines before it
// are asked only for the policy they were written under.
#include "policy/audit/trail_end.h"

#include "policy/audit/digest.h"
#include "policy/audit/scan.h"

namespace nohalt::policy {

namespace {

void take_line(TrailEnd& end, const LineFields& fields, std::string_view line) {
  end.seq = fields.seq;
  end.previous = sha256_hex(line);
  end.chain = chain_after(fields.chain, end.previous);
  end.is_checkpoint = fields.is_checkpoint();
  end.boot_id = fields.boot_id;
  end.boot_ms = fields.boot_ms;
  end.found_whole_line = true;
}

// The newline that the next append puts behind torn bytes is no part of them.
std::string torn_hash(std::string_view bytes) {
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  return sha256_hex(bytes);
}

}  // namespace

TrailEnd read_trail_end(std::string_view tail) {
  TrailEnd end;
  end.needs_newline = !tail.empty() && !tail.ends_with('\n');
  std::size_t torn_from = 0;
  std::size_t line_end = tail.size() - (tail.ends_with('\n') ? 1 : 0);
  while (!tail.empty() && (!end.found_whole_line || end.policy_hash.empty())) {
    const std::size_t newline = line_end == 0 ? tail.npos : tail.rfind('\n', line_end - 1);
    const std::size_t begin = newline == tail.npos ? 0 : newline + 1;
    const std::string_view line = tail.substr(begin, line_end - begin);
    if (const auto fields = scan_line(line)) {
      if (!end.found_whole_line) {
        take_line(end, *fields, line);
        torn_from = std::min(line_end + 1, tail.size());
      }
      end.policy_hash = fields->policy_hash;
    }
    if (begin == 0) break;
    line_end = begin - 1;
  }
  if (torn_from < tail.size()) end.torn = torn_hash(tail.substr(torn_from));
  return end;
}

TrailEnd end_after(const TrailEnd& end, std::string_view line) {
  TrailEnd next;
  next.policy_hash = end.policy_hash;
  const auto fields = scan_line(line);
  if (!fields) return next;
  take_line(next, *fields, line);
  if (!fields->policy_hash.empty()) next.policy_hash = fields->policy_hash;
  return next;
}

}  // namespace nohalt::policy
