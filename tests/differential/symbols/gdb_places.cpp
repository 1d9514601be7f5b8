// test_gdb_places [--sample N] PROGRAM...
//
// Asks GDB where `break` stops for sampled lines and functions of each program,
// and compares with resolve(). Prints how many agree, and how many differ for
// which known reason; exits 1 where one differs for none.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "probes/symbols/debug_info.h"

namespace nohalt::symbols {
namespace {

struct Options {
  std::size_t sample = 400;
  std::vector<std::string> programs;
};

struct Tally {
  std::size_t asked = 0;
  std::size_t agreed = 0;
  std::map<std::string, std::size_t> known;  // by known_difference()

  [[nodiscard]] std::size_t explained() const {
    std::size_t sum = agreed;
    for (const auto& [reason, count] : known) sum += count;
    return sum;
  }
};

std::vector<std::string> sampled(std::set<std::string> all, std::size_t count) {
  std::vector<std::string> items(all.begin(), all.end());
  std::ranges::shuffle(items, std::mt19937(20));
  if (items.size() > count) items.resize(count);
  return items;
}

// GDB's addresses for each location, as text; empty where it did not run.
std::vector<std::string> ask_gdb(const std::string& program,
                                 const std::vector<std::string>& locations) {
  std::string folder = std::filesystem::temp_directory_path() / "gdb-places-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return {};
  {
    std::ofstream file(folder + "/places");
    for (const std::string& location : locations) file << location << "\n";
  }
  setenv("NOHALT_PLACES", (folder + "/places").c_str(), 1);
  setenv("NOHALT_OUT", (folder + "/out").c_str(), 1);
  const std::string command = "timeout -k 5 300 gdb -batch -nx -x '" GDB_PLACES_SCRIPT "' '" +
                              program + "' >/dev/null 2>&1";
  std::vector<std::string> answers;
  if (std::system(command.c_str()) == 0) {
    std::ifstream file(folder + "/out");
    for (std::string line; std::getline(file, line);) answers.push_back(line);
  }
  std::filesystem::remove_all(folder);
  return answers;
}

// GDB cannot be asked for every name it knows: templates' arguments and lambdas
// are spelled in more ways than one.
bool is_askable(const std::string& name) {
  return !name.empty() && name.find_first_of("<({$") == std::string::npos &&
         !name.starts_with("operator ");
}

std::string our_answer(const DebugInfo& info, const std::string& location) {
  const Result<ResolvedPlace> place = info.resolve(location);
  if (!place) return "none";
  std::set<LinkAddress> found;
  for (const LineSite& site : place->sites) found.insert(site.pc);
  std::ostringstream text;
  for (const LinkAddress pc : found)
    text << (text.str().empty() ? "" : " ") << std::hex << pc.value;
  return text.str();
}

std::string host_of(const LineSite& site) {
  return site.inlined_into.empty() ? site.function : site.inlined_into;
}

// Two differences are known. GDB 13 takes the lowest address of an inlined copy
// for its entry, where the DWARF says at which control enters it (DW_AT_entry_pc;
// later versions of GDB follow it). And it moves a place in a cold part that lies
// below its function's entry to that entry. In both, each place that one side has
// alone answers to one in the same function that the other side has alone. Null:
// neither of them.
const char* known_difference(const DebugInfo& info, const std::string& location,
                             const std::string& theirs) {
  const Result<ResolvedPlace> place = info.resolve(location);
  if (!place) return nullptr;
  std::istringstream text(theirs);
  std::set<std::uint64_t> only_theirs;
  for (std::uint64_t pc = 0; text >> std::hex >> pc;) only_theirs.insert(pc);
  std::map<std::string, std::uint64_t> our_hosts;
  std::map<std::string, std::uint64_t> their_hosts;
  bool inlined = false;
  for (const LineSite& site : place->sites) {
    if (only_theirs.erase(site.pc.value) != 0) continue;
    our_hosts.emplace(host_of(site), site.pc.value);
    inlined |= !site.inlined_into.empty();
  }
  for (const std::uint64_t pc : only_theirs)
    if (const std::optional<LineSite> site = info.describe({pc})) {
      their_hosts.emplace(host_of(*site), pc);
      inlined |= !site->inlined_into.empty();
    }
  const auto same_host = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (our_hosts.empty() || !std::ranges::equal(our_hosts, their_hosts, same_host)) return nullptr;
  if (inlined) return "entry of an inlined copy";
  const bool below = our_hosts.begin()->second < their_hosts.begin()->second;
  return below ? "cold part below its function" : nullptr;
}

Tally compare(const DebugInfo& info, const std::string& program,
              const std::vector<std::string>& locations) {
  const std::vector<std::string> theirs = ask_gdb(program, locations);
  Tally tally;
  std::size_t shown = 0;
  if (theirs.size() != locations.size()) {
    std::printf("  gdb did not answer\n");
    return {.asked = 1, .agreed = 0, .known = {}};
  }
  for (std::size_t i = 0; i < locations.size(); ++i) {
    const std::string ours = our_answer(info, locations[i]);
    ++tally.asked;
    if (ours == theirs[i])
      ++tally.agreed;
    else if (const char* reason = known_difference(info, locations[i], theirs[i]))
      ++tally.known[reason];
    else if (++shown <= 6)
      std::printf("    %s: gdb %s, ours %s\n", locations[i].c_str(), theirs[i].c_str(),
                  ours.c_str());
  }
  return tally;
}

bool run(const Options& options, const std::string& program) {
  const Result<std::unique_ptr<DebugInfo>> info = DebugInfo::open(program, program, {});
  if (!info) {
    std::fprintf(stderr, "%s\n", info.error().message.c_str());
    return false;
  }
  std::set<std::string> lines;
  std::set<std::string> functions;
  for (const StatementRow& row : (*info)->statements())
    lines.insert(row.file + ":" + std::to_string(row.line));
  for (const FunctionRange& function : (*info)->functions())
    if (is_askable(function.name)) functions.insert(function.name);
  bool enough = true;
  for (const auto& [what, locations] :
       std::map<std::string, std::set<std::string>>{{"lines", lines}, {"functions", functions}}) {
    std::printf("%s: %s\n", program.c_str(), what.c_str());
    const Tally tally = compare(**info, program, sampled(locations, options.sample));
    std::printf("  %zu of %zu agree with gdb\n", tally.agreed, tally.asked);
    for (const auto& [reason, count] : tally.known)
      std::printf("  %zu differ in a known way: %s\n", count, reason.c_str());
    enough &= tally.asked > 0 && tally.explained() == tally.asked;
  }
  return enough;
}

}  // namespace
}  // namespace nohalt::symbols

int main(int count, char** values) {
  nohalt::symbols::Options options;
  const std::vector<std::string> arguments(values + 1, values + count);
  std::size_t at = 0;
  for (; at + 1 < arguments.size() && arguments[at].starts_with("--"); at += 2) {
    if (arguments[at] == "--sample") options.sample = std::stoul(arguments[at + 1]);
  }
  bool good = at < arguments.size();
  for (; at < arguments.size(); ++at) good &= nohalt::symbols::run(options, arguments[at]);
  return good ? 0 : 1;
}
