// The numbers tell what is missing or in the wrong place; where they are right, the
// hashes tell what was changed.
#include "policy/audit/verify.h"

#include "policy/audit/key.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

constexpr std::size_t kMostFaults = 100;

std::string record(std::uint64_t seq) { return "record " + std::to_string(seq); }

std::string records(std::uint64_t first, std::uint64_t last) {
  if (first == last) return record(first) + " is missing";
  return "records " + std::to_string(first) + " to " + std::to_string(last) + " are missing";
}

void add(std::vector<std::string>& faults, std::string fault) {
  if (faults.size() < kMostFaults) faults.push_back(std::move(fault));
}

}  // namespace

std::vector<KeptCheckpoint> read_checkpoints(std::string_view content) {
  std::vector<KeptCheckpoint> kept;
  std::uint64_t number = 0;
  while (!content.empty()) {
    std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(line.size() + 1, content.size()));
    ++number;
    line.remove_prefix(std::min(line.find('{'), line.size()));
    line = line.substr(0, line.rfind('}') + 1);
    const auto fields = scan_line(line);
    if (!fields || !fields->is_checkpoint()) continue;
    const Signature by{std::string{fields->key}, std::string{fields->signature}};
    kept.push_back(
        {fields->seq, sha256_hex(line), by.key, number, is_signed(by, signed_message(line))});
  }
  return kept;
}

ChainVerifier::ChainVerifier(const std::vector<KeptCheckpoint>& kept) {
  for (const KeptCheckpoint& one : kept) {
    if (one.is_genuine)
      kept_.emplace(one.seq, one);
    else
      add(report_.checkpoint_faults, "line " + std::to_string(one.line) +
                                         " of the checkpoint file: the signature of " +
                                         record(one.seq) + " is not by the key that it names.");
  }
}

void ChainVerifier::fault(std::string_view where, const std::string& what) {
  ++report_.fault_count;
  add(report_.faults, std::string{where} + ": " + what);
}

void ChainVerifier::take(std::string_view bytes, std::string_view where, bool is_continued) {
  const bool is_piece = is_continued || inside_line_;
  const auto fields = is_piece ? std::nullopt : scan_line(bytes);
  if (!fields) {
    take_torn(bytes, where);
    inside_line_ = is_continued;
    return;
  }
  check_torn(fields->torn, where);
  const std::uint64_t seq = check_order(*fields, where);
  ++report_.whole_lines;
  before_ = {seq, sha256_hex(bytes), {}};
  before_.chain = chain_after(fields->chain, before_.hash);
  check_signature(*fields, bytes, where);
  compare(seq, before_.hash);
}

void ChainVerifier::take_hash(std::uint64_t seq, std::string_view hash) {
  settle_suspect(true);
  const bool is_first = report_.whole_lines + report_.skipped == 0;
  if (is_first) report_.first_seq = seq;
  if (!is_first && seq != before_.seq + 1)
    fault(record(seq), "it does not follow " + record(before_.seq) + ".");
  ++report_.skipped;
  before_ = {seq, std::string{hash}, chain_after(before_.chain, hash)};
  compare(seq, hash);
}

void ChainVerifier::take_torn(std::string_view bytes, std::string_view where) {
  if (!torn_) {
    torn_.emplace();
    torn_where_ = where;
  } else if (!inside_line_) {
    torn_->add("\n");
  }
  if (!inside_line_) ++torn_count_;
  torn_->add(bytes);
}

void ChainVerifier::check_torn(std::string_view torn, std::string_view where) {
  if (is_part_ && !torn_) return;
  if (torn != (torn_ ? torn_->hex() : std::string{}))
    fault(where, "what stands before it is not what was there when it was written.");
  else
    report_.torn_lines += torn_count_;
  torn_.reset();
  torn_count_ = 0;
}

void ChainVerifier::settle_suspect(bool follows) {
  if (!suspect_) return;
  const Suspect suspect = std::move(*suspect_);
  suspect_.reset();
  if (follows)
    fault(suspect.where, record(suspect.seq) + " before it was changed: its hash is another.");
  else
    fault(suspect.where, "this record, " + std::to_string(suspect.seq + 1) +
                             ", was changed (perhaps the one before it too): neither hash fits.");
}

void ChainVerifier::check_first(const LineFields& line, std::string_view where) {
  report_.first_seq = line.seq;
  report_.goes_on = line.seq != 1;
  if (is_part_ || (line.event == "rotated" && line.seq != 1)) return;
  if (line.seq != 1)
    fault(where, records(1, line.seq - 1) + ": the trail begins with " + record(line.seq) + ".");
  else if (line.previous != kNoPrevious || line.chain != kNoPrevious)
    fault(where, record(1) + " was changed: it does not begin a chain.");
}

// Gives the number that the record stands for.
std::uint64_t ChainVerifier::check_order(const LineFields& line, std::string_view where) {
  if (report_.whole_lines + report_.skipped == 0) {
    check_first(line, where);
    return line.seq;
  }
  const std::uint64_t expected = before_.seq + 1;
  const bool follows = line.previous == before_.hash;
  const bool was_suspect = suspect_.has_value();
  settle_suspect(follows || line.seq != expected);
  if (line.seq != expected && follows) {
    fault(where, record(expected) + " was changed: it carries the number " +
                     std::to_string(line.seq) + ".");
    return expected;
  }
  if (line.seq > expected)
    fault(where, records(expected, line.seq - 1) + ": " + record(line.seq) + " follows " +
                     record(before_.seq) + ".");
  else if (line.seq < expected)
    fault(where, record(line.seq) + " stands behind " + record(before_.seq) +
                     ": it was added, or is out of order.");
  else if (!follows && !was_suspect)
    suspect_ = Suspect{before_.seq, std::string{where}};
  else if (follows && line.chain != before_.chain)
    fault(where,
          record(line.seq) + " or what led to it was changed: the chain's value is another.");
  return line.seq;
}

void ChainVerifier::check_signature(const LineFields& line, std::string_view bytes,
                                    std::string_view where) {
  if (!line.is_checkpoint()) return;
  const Signature by{std::string{line.key}, std::string{line.signature}};
  if (!is_signed(by, signed_message(bytes))) {
    add(report_.signature_faults, std::string{where} + ": the signature of " + record(line.seq) +
                                      " is not by the key that it names.");
    return;
  }
  if (!sound_so_far()) return;
  if (report_.signed_by.empty() || report_.signed_by.back().key != by.key)
    report_.signed_by.push_back({by.key, line.seq, line.seq});
  report_.signed_by.back().last = line.seq;
}

void ChainVerifier::compare(std::uint64_t seq, std::string_view hash) {
  const auto [begin, end] = kept_.equal_range(seq);
  for (auto one = begin; one != end; ++one) {
    if (one->second.hash != hash)
      add(report_.checkpoint_faults,
          record(seq) + " is not the checkpoint that was kept (line " +
              std::to_string(one->second.line) +
              " of the checkpoint file): the trail was written anew, or that one is of another.");
    else if (sound_so_far())
      report_.agreed_up_to = seq;
  }
  kept_.erase(begin, end);
}

ChainReport ChainVerifier::finish() {
  if (suspect_) {
    fault(suspect_->where, record(suspect_->seq) + " or " + record(suspect_->seq + 1) +
                               " was changed: the one carries another hash than the other has.");
    suspect_.reset();
  }
  if (torn_) fault(torn_where_, "half-written, and no later line vouches for it.");
  report_.last_seq = before_.seq;
  for (const auto& [seq, one] : kept_) {
    const std::string line = " (line " + std::to_string(one.line) + " of the checkpoint file).";
    if (seq < report_.first_seq)
      ++report_.checkpoints_before;
    else if (seq > report_.last_seq)
      add(report_.checkpoint_faults, records(report_.last_seq + 1, seq) +
                                         " at the end: a checkpoint of " + record(seq) +
                                         " was kept" + line);
    else
      add(report_.checkpoint_faults,
          record(seq) + ", a checkpoint that was kept, is missing" + line);
  }
  kept_.clear();
  return report_;
}

Result<ChainReport> verify_trail(const TrailReader& reader,
                                 const std::vector<KeptCheckpoint>& kept) {
  ChainVerifier verifier(kept);
  std::string where;
  NOHALT_CHECK(reader.read([&](const TrailLine& line) {
    where = reader.files() > 1 ? escape_untrusted(line.file).text + " " : std::string{};
    where += "line " + std::to_string(line.number);
    verifier.take(line.bytes, where, line.is_continued);
  }));
  return verifier.finish();
}

ChainReport verify_chain(std::string_view content) {
  ChainVerifier verifier;
  std::uint64_t number = 0;
  while (!content.empty()) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(line.size() + 1, content.size()));
    verifier.take(line, "line " + std::to_string(++number));
  }
  return verifier.finish();
}

}  // namespace nohalt::policy
