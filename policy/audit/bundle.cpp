// Two passes over the trail: what belongs to the ticket and how far it reaches, then
// the lines. Which run a record is of is told by its `run`, so that a removal by
// somebody else, who knew of no ticket, belongs to it too.
#include "policy/audit/bundle.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "policy/audit/digest.h"
#include "policy/audit/key.h"
#include "policy/audit/scan.h"
#include "src/base/escape.h"
#include "src/base/file.h"

namespace nohalt::policy {

namespace {

using nlohmann::json;

constexpr std::string_view kSealPurpose = "nohalt audit bundle\n";
constexpr std::string_view kBegin = R"({"bundle":1,)";
constexpr std::size_t kHashesALine = 1000;

// What is about the trail and not about anyone's work.
bool is_of_everyone(std::string_view event) {
  return event == "checkpoint" || event == "rotated" || event == "policy-changed";
}

std::string dump(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Lines on their way out, and the hash that the seal is over.
class Pen {
 public:
  explicit Pen(const PutLine& put) : put_(put) {}

  [[nodiscard]] Status write(const json& object) {
    const std::string line = dump(object) + "\n";
    hash_.add(line);
    return put_(line);
  }
  [[nodiscard]] Status skip(std::uint64_t seq, std::string hash) {
    if (hashes_.empty()) skipped_from_ = seq;
    hashes_.push_back(std::move(hash));
    return hashes_.size() < kHashesALine ? Status{} : flush();
  }
  [[nodiscard]] Status flush() {
    if (hashes_.empty()) return {};
    const json line{{"from", skipped_from_}, {"skipped", std::exchange(hashes_, {})}};
    return write(line);
  }
  [[nodiscard]] Status seal(const std::string& key_folder) {
    NOHALT_TRY(const Signature by, sign(key_folder, std::string{kSealPurpose} + hash_.hex()));
    return put_(dump({{"seal", {{"key", by.key}, {"signature", by.signature}}}}) + "\n");
  }

 private:
  const PutLine& put_;
  Sha256 hash_;
  std::uint64_t skipped_from_ = 0;
  std::vector<std::string> hashes_;
};

json head_json(const BundleHead& head) {
  json object{{"bundle", 1},
              {"ticket", head.ticket},
              {"made", head.made},
              {"trail", head.trail},
              {"by", {{"uid", head.by.uid}, {"user", head.by.user}, {"host", head.by.host}}}};
  for (const auto& [hash, text] : head.policies) object["policies"][hash] = text;
  return object;
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// One bundle being read.
class Checker {
 public:
  explicit Checker(const std::vector<KeptCheckpoint>& kept) : verifier_(kept) {
    verifier_.allow_part();
  }

  void take(const TrailLine& line) {
    where_ = "line " + std::to_string(line.number);
    const json object = line.is_continued ? json{} : json::parse(line.bytes, nullptr, false);
    if (!report_.sealed_by.empty() || !object.is_object())
      return fault("it is no line of a bundle.");
    if (line.number == 1) take_head(object);
    if (const auto seal = object.find("seal"); seal != object.end()) return take_seal(*seal);
    hash_.add(line.bytes);
    hash_.add("\n");
    if (const std::string record = text_in(object, "record"); !record.empty())
      verifier_.take(record, where_);
    if (const auto skipped = object.find("skipped"); skipped != object.end())
      take_skipped(object, *skipped);
  }

  [[nodiscard]] BundleReport finish() {
    if (report_.sealed_by.empty())
      report_.faults.push_back("The bundle is not sealed: it was cut.");
    report_.chain = verifier_.finish();
    return report_;
  }

 private:
  void fault(const std::string& what) {
    if (report_.faults.size() < 100) report_.faults.push_back(where_ + ": " + what);
  }
  void take_head(const json& object) {
    report_.ticket = text_in(object, "ticket");
    report_.made = text_in(object, "made");
    if (const auto policies = object.find("policies"); policies != object.end())
      for (const auto& [hash, text] : policies->items())
        if (!text.is_string() || sha256_hex(text.get<std::string>()) != hash)
          fault("a policy's text is not what its hash says.");
    if (const auto by = object.find("by"); by != object.end() && by->is_object()) {
      report_.host = text_in(*by, "host");
      report_.user = text_in(*by, "user");
    }
  }
  void take_seal(const json& seal) {
    const bool is_object = seal.is_object();
    const Signature by{is_object ? text_in(seal, "key") : "",
                       is_object ? text_in(seal, "signature") : ""};
    if (!is_signed(by, std::string{kSealPurpose} + hash_.hex()))
      fault("the seal does not fit: the bundle was changed after it was made.");
    report_.sealed_by = by.key.empty() ? "none" : by.key;
  }
  void take_skipped(const json& object, const json& hashes) {
    const auto from = object.find("from");
    const bool good = hashes.is_array() && from != object.end() && from->is_number_unsigned();
    if (!good) return fault("it does not say which records are left out.");
    auto seq = from->get<std::uint64_t>();
    for (const json& hash : hashes) {
      if (!hash.is_string()) return fault("it does not say which records are left out.");
      verifier_.take_hash(seq++, hash.get<std::string>());
    }
  }

  ChainVerifier verifier_;
  BundleReport report_;
  Sha256 hash_;
  std::string where_;
};

}  // namespace

Result<std::vector<AuditEntry>> entries_of_ticket(const TrailReader& reader,
                                                  const std::string& ticket) {
  std::vector<AuditEntry> entries;
  std::set<std::string> runs;
  const std::string in_line = dump(json(ticket));
  NOHALT_CHECK(reader.read([&](const TrailLine& line) {
    // Most lines are of other tickets, and parsing is what takes time.
    const bool perhaps = line.bytes.find(in_line) != line.bytes.npos;
    if (!perhaps && runs.empty()) return;
    auto entry = parse_entry(line.bytes);
    if (!entry) return;
    const bool is_of_ticket = entry->ticket == ticket;
    if (is_of_ticket && !entry->run.empty()) runs.insert(entry->run);
    if (is_of_ticket || runs.contains(entry->run)) entries.push_back(std::move(*entry));
  }));
  return entries;
}

Status write_bundle(const TrailReader& reader, const BundleHead& head,
                    const std::vector<AuditEntry>& entries,
                    const std::vector<std::string>& timeline, const std::string& key_folder,
                    const PutLine& put) {
  Pen pen(put);
  NOHALT_CHECK(pen.write(head_json(head)));
  auto wanted = entries.begin();
  const std::uint64_t first = entries.front().seq;
  bool is_over = false;
  Status written;
  const auto write_line = [&](const LineFields& fields, std::string_view bytes) -> Status {
    const bool is_wanted = wanted != entries.end() && fields.seq == wanted->seq;
    if (is_wanted) ++wanted;
    is_over = wanted == entries.end() && fields.is_checkpoint();
    if (!is_wanted && !is_of_everyone(fields.event)) return pen.skip(fields.seq, sha256_hex(bytes));
    NOHALT_CHECK(pen.flush());
    return pen.write({{"record", bytes}});
  };
  NOHALT_CHECK(reader.read([&](const TrailLine& line) {
    if (!written || is_over || line.is_continued) return;
    const auto fields = scan_line(line.bytes);
    if (fields && fields->seq >= first) written = write_line(*fields, line.bytes);
  }));
  NOHALT_CHECK(written);
  NOHALT_CHECK(pen.flush());
  for (const std::string& line : timeline) NOHALT_CHECK(pen.write({{"timeline", line}}));
  return pen.seal(key_folder);
}

bool looks_like_bundle(const std::string& path) {
  const auto start = read_file_start(path, 4096);
  const std::string line = start ? start->substr(0, start->find('\n')) : std::string{};
  return line.starts_with(kBegin);
}

Result<BundleReport> verify_bundle(const TrailReader& reader,
                                   const std::vector<KeptCheckpoint>& kept) {
  Checker checker(kept);
  NOHALT_CHECK(reader.read([&](const TrailLine& line) { checker.take(line); }));
  return checker.finish();
}

}  // namespace nohalt::policy
