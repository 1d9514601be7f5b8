// The file is replaced by a rename under the lock, so that a run that dies between
// leaves the old one or the new one. A line that cannot be read stops all: what it
// granted would not be counted.
#include "policy/limits/ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <thread>

#include "policy/audit/folder.h"
#include "policy/file/trusted.h"
#include "src/base/escape.h"
#include "src/base/file.h"

namespace nohalt::policy {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kLargestLedger = 1024 * 1024;

std::unexpected<Error> unusable(const std::string& folder, const std::string& problem) {
  return fail(ErrorCode::kDenied, "ledger-unusable",
              "What other runs were granted cannot be counted in " + escape_untrusted(folder).text +
                  ": " + problem + ".",
              "Make the folder yours with mode 0700; an unreadable `grants` in it can be removed "
              "when no run is on.");
}

std::unexpected<Error> unusable_errno(const std::string& folder, const char* call) {
  const int error_number = errno;
  return unusable(folder, std::string{call} + ": " + std::generic_category().message(error_number));
}

Json json_of(const ProcessIdentity& process) {
  return Json::array({process.pid, process.start_time});
}

Json json_of(const std::vector<Limits>& probes) {
  Json list = Json::array();
  for (const Limits& one : probes)
    list.push_back(Json::array({one.hits_per_second, one.bytes_per_second, one.cpu_share}));
  return list;
}

std::string line_of(const LedgerEntry& entry) {
  Json line = {{"tool", json_of(entry.tool)},
               {"target", json_of(entry.target)},
               {"uid", entry.uid},
               {"probes", json_of(entry.probes)}};
  if (entry.login_uid) line["login_uid"] = *entry.login_uid;
  return line.dump() + "\n";
}

ProcessIdentity process_in(const Json& pair) {
  return {pair.at(0).get<pid_t>(), pair.at(1).get<std::uint64_t>()};
}

std::optional<LedgerEntry> entry_in(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  try {
    LedgerEntry entry;
    entry.tool = process_in(json.at("tool"));
    entry.target = process_in(json.at("target"));
    entry.uid = json.at("uid").get<uid_t>();
    if (json.contains("login_uid")) entry.login_uid = json.at("login_uid").get<uid_t>();
    for (const Json& rates : json.at("probes")) {
      Limits& one = entry.probes.emplace_back();
      one.hits_per_second = rates.at(0).get<std::uint64_t>();
      one.bytes_per_second = rates.at(1).get<std::uint64_t>();
      one.cpu_share = rates.at(2).get<double>();
    }
    return entry;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Result<UniqueFd> take_lock(const std::string& folder) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::open((folder + "/lock").c_str(), kFlags, 0600));
  if (!fd.valid()) return unusable_errno(folder, "open lock");
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return unusable_errno(folder, "flock");
    if (std::chrono::steady_clock::now() >= give_up)
      return unusable(folder, "another run holds its lock");
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return fd;
}

}  // namespace

Result<Ledger> Ledger::open(const std::string& folder, const Lives& lives) {
  if (const Status made = make_folder(folder); !made) return unusable(folder, "it cannot be made");
  if (!check_trusted(folder, {0, ::geteuid()})) return unusable(folder, "others could write there");
  NOHALT_TRY(UniqueFd lock, take_lock(folder));
  Ledger ledger(folder, std::move(lock));
  const std::string path = folder + "/grants";
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return ledger;
  const auto content = read_trusted(path, {0, ::geteuid()}, kLargestLedger);
  if (!content) return unusable(folder, "`grants` cannot be read, or others could write it");
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) {
    const auto entry = entry_in(line);
    if (!entry) return unusable(folder, "a line of `grants` is none of nohalt's");
    if (lives(entry->tool)) ledger.entries_.push_back(*entry);
  }
  return ledger;
}

Status Ledger::write() const {
  const std::string next = folder_ + "/grants.next";
  std::string content;
  for (const LedgerEntry& entry : entries_) content += line_of(entry);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd fd(::open(next.c_str(), kFlags, 0600));
  if (!fd.valid()) return unusable_errno(folder_, "open grants.next");
  NOHALT_CHECK(write_all_at(fd.get(), std::as_bytes(std::span(content)), 0));
  if (::rename(next.c_str(), (folder_ + "/grants").c_str()) != 0)
    return unusable_errno(folder_, "rename grants.next");
  return {};
}

Status Ledger::enter(const LedgerEntry& entry) {
  std::erase_if(entries_, [&](const LedgerEntry& other) { return other.tool == entry.tool; });
  entries_.push_back(entry);
  return write();
}

Status Ledger::leave(const ProcessIdentity& tool) {
  const auto gone =
      std::erase_if(entries_, [&](const LedgerEntry& entry) { return entry.tool == tool; });
  return gone == 0 ? Status{} : write();
}

// Of what cannot be taken out here, others see that its run is gone.
LedgerPlace::~LedgerPlace() {
  auto ledger = Ledger::open(folder_, [](const ProcessIdentity&) { return true; });
  if (ledger) static_cast<void>(ledger->leave(tool_));
}

}  // namespace nohalt::policy
