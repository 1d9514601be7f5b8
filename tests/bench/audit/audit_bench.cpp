// How long verifying a trail takes, and how much memory: a million records unless
// told otherwise, in two files.
//
//   bench_audit [records]
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "policy/audit/digest.h"
#include "policy/audit/line.h"
#include "policy/audit/rotation.h"
#include "policy/audit/verify.h"

namespace {

using namespace nohalt;
using namespace nohalt::policy;

// A line as `armed` gives it, with the places where the links go.
class Template {
 public:
  Template() {
    Event event;
    event.kind = EventKind::kArmed;
    event.run = "0123456789abcdef";
    event.who.user = "alice";
    event.who.host = "web-1";
    event.target = TargetFacts{{4711, 1234567}, {}, {}, 0, 0, "/usr/bin/orders", "0123456789"};
    event.addresses = {0x555555554142};
    event.program_hash = event.policy_hash = std::string(64, 'e');
    event.kinds = {"log"};
    event.locations = event.places = {"orders.c:142"};
    event.messages = {"order {id} costs {total}"};
    event.rule = "oncall (/etc/nohalt/policy.yaml:4)";
    event.asked = {AskedLimits{}};
    event.granted = {Limits{}};
    event.reason = "totals are wrong";
    event.ticket = "INC-42";
    LineFrame frame;
    frame.boot_id = "01234567-89ab-cdef-0123-456789abcdef";
    frame.previous = frame.chain = std::string(64, 'f');
    frame.seq = kSeq;
    line_ = audit_line(event, frame);
  }

  const std::string& with(std::uint64_t seq, const std::string& previous,
                          const std::string& chain) {
    put("\"seq\":", std::to_string(kSeq + seq - 1));
    put("\"prev\":\"", previous);
    put("\"chain\":\"", chain);
    return line_;
  }

  // All numbers have as many digits.
  static constexpr std::uint64_t kSeq = 1'000'000'001;

 private:
  void put(const std::string& name, const std::string& value) {
    line_.replace(line_.find(name) + name.size(), value.size(), value);
  }
  std::string line_;
};

void write_trail(const std::string& path, std::uint64_t records) {
  Template line;
  std::string previous{kNoPrevious};
  std::string chain{kNoPrevious};
  std::ofstream first(rotated_name(path, records / 2));
  std::ofstream second(path);
  for (std::uint64_t i = 1; i <= records; ++i) {
    const std::string& text = line.with(i, previous, chain);
    (i <= records / 2 ? first : second) << text << '\n';
    previous = sha256_hex(text);
    chain = chain_after(chain, previous);
  }
}

// Beside the time by the clock, which a busy machine stretches.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main(int count, char** words) {
  const std::uint64_t records = count > 1 ? std::strtoull(words[1], nullptr, 10) : 1'000'000;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("nohalt-bench-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "audit.jsonl";
  write_trail(path, records);
  const double bytes = static_cast<double>(std::filesystem::file_size(path)) * 2;
  const long before = peak_kib();
  const double processor_before = processor_seconds();
  const auto begin = std::chrono::steady_clock::now();
  const auto report = verify_trail(TrailReader::open(path).value(), {});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double of_processor = processor_seconds() - processor_before;
  std::filesystem::remove_all(folder);
  // The numbers begin high, so the first record says that others came before it.
  const bool right = report && report->whole_lines == records && report->fault_count == 1;
  std::printf(
      "%llu records, %.0f MiB: verified in %.2f s (%.2f s of processor time), memory grew by "
      "%ld KiB%s\n",
      static_cast<unsigned long long>(records), bytes / (1 << 20), took.count(), of_processor,
      peak_kib() - before, right ? "" : "; WRONG RESULT");
  return right ? 0 : 1;
}
