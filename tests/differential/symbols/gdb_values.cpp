// test_gdb_values [--statements N] [--seconds S] [--drive COMMAND] PROGRAM [ARGUMENT...]
//
// Runs PROGRAM under GDB, stops it once at each of N sampled statements, and
// compares every variable in scope there as GDB shows it with what this
// module's Location comes to on the same registers and memory. Prints a table;
// exits 1 if any value differs. COMMAND runs beside the program (a load
// generator); when it ends, or S seconds after the start, the program is ended.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "probes/symbols/debug_info.h"
#include "src/base/unique_fd.h"
#include "tests/differential/symbols/evaluate.h"

extern char** environ;

namespace nohalt::symbols {
namespace {

struct Options {
  std::size_t statements = 200;
  unsigned seconds = 60;
  std::string drive;
  std::vector<std::string> command;
};

struct SeenByGdb {
  std::string name;
  std::uint32_t line = 0;
  std::uint64_t size = 0;
  std::string state;
  std::uint64_t address = 0;
  std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> parts;
};

struct Counts {
  std::size_t stops = 0;
  std::map<std::string, std::size_t> by_verdict;
  std::vector<std::string> examples;
};

std::vector<std::uint8_t> from_hex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

SeenByGdb parse_variable(std::istringstream& line) {
  SeenByGdb seen;
  line >> seen.name >> seen.line >> seen.size >> seen.state >> std::hex >> seen.address;
  for (std::string part; line >> part;) {
    const std::size_t equals = part.find('=');
    seen.parts.emplace_back(std::stoull(part.substr(0, equals)), from_hex(part.substr(equals + 1)));
  }
  return seen;
}

const char* why_text(const Location& location) {
  const auto* unavailable = std::get_if<Unavailable>(&location);
  if (unavailable == nullptr) return "unreadable";
  switch (unavailable->why) {
    case UnavailableWhy::kOptimizedOut:
      return "optimized-out";
    case UnavailableWhy::kEntryValue:
      return "entry-value";
    case UnavailableWhy::kThreadLocal:
      return "thread-local";
    case UnavailableWhy::kUnsupported:
      return "unsupported";
  }
  return "?";
}

// A sampled statement's verdicts, one for each variable that GDB lists.
class Comparer {
 public:
  Comparer(const DebugInfo& info, Counts& counts) : info_(info), counts_(counts) {}

  void begin(LinkAddress pc, pid_t pid, std::uint64_t bias) {
    pc_ = pc;
    seen_.clear();
    state_.load_bias = bias;
    memory_ =
        UniqueFd(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    state_.read_memory = [this](std::uint64_t at, std::span<std::uint8_t> into) {
      return ::pread(memory_.get(), into.data(), into.size(), static_cast<off_t>(at)) ==
             static_cast<ssize_t>(into.size());
    };
  }
  MachineState& state() { return state_; }
  void add(SeenByGdb seen) { seen_.push_back(std::move(seen)); }

  void finish() {
    ++counts_.stops;
    Result<std::vector<Variable>> ours = info_.variables_at(pc_);
    if (!ours) {
      count("no such place", "?", ours.error().message);
      return;
    }
    std::vector<bool> used(ours->size(), false);
    for (const SeenByGdb& seen : seen_) {
      const Variable* match = nullptr;
      for (std::size_t i = 0; i < ours->size() && match == nullptr; ++i) {
        const Variable& variable = (*ours)[i];
        if (used[i] || variable.name != seen.name || variable.declared_line != seen.line) continue;
        used[i] = true;
        match = &variable;
      }
      compare(seen, match);
    }
    for (std::size_t i = 0; i < ours->size(); ++i)
      if (!used[i] && !std::holds_alternative<Unavailable>((*ours)[i].location))
        count("listed by us only", (*ours)[i].name, "");
  }

 private:
  void compare(const SeenByGdb& seen, const Variable* ours) {
    const bool gdb_has = seen.state == "value";
    if (ours == nullptr)
      return count(gdb_has ? "listed by gdb only" : "both unavailable", seen.name, seen.state);
    const std::uint64_t size = seen.size != 0 ? seen.size : ours->type->byte_size;
    const std::optional<EvaluatedBytes> value = evaluate(ours->location, size, state_);
    if (!value) {
      return gdb_has ? count("gdb only, " + std::string(why_text(ours->location)), seen.name,
                             detail(*ours))
                     : count("both unavailable", seen.name, "");
    }
    if (!gdb_has) return count("ours only (gdb: " + seen.state + ")", seen.name, detail(*ours));
    if (seen.address != 0 && value->address && *value->address != seen.address)
      return count("DIFFERENT", seen.name, "address");
    for (const auto& [offset, bytes] : seen.parts) {
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (offset + i >= value->bytes.size()) continue;
        if (!value->known[offset + i]) return count("gdb only, part", seen.name, detail(*ours));
        if (value->bytes[offset + i] != bytes[i]) return count("DIFFERENT", seen.name, "bytes");
      }
    }
    count("equal", seen.name, "");
  }

  static std::string detail(const Variable& variable) {
    const auto* unavailable = std::get_if<Unavailable>(&variable.location);
    return unavailable == nullptr ? "" : unavailable->detail;
  }

  void count(const std::string& verdict, const std::string& name, const std::string& detail) {
    const std::size_t number = ++counts_.by_verdict[verdict];
    if (verdict == "equal" || verdict == "both unavailable" || number > 4) return;
    const std::optional<LineSite> site = info_.describe(pc_);
    std::ostringstream text;
    text << verdict << ": " << name << " at " << std::hex << pc_.value << std::dec;
    if (site) text << " (" << site->function << ", " << site->file << ":" << site->line << ")";
    if (!detail.empty()) text << ": " << detail;
    counts_.examples.push_back(text.str());
  }

  const DebugInfo& info_;
  Counts& counts_;
  LinkAddress pc_;
  MachineState state_;
  UniqueFd memory_;
  std::vector<SeenByGdb> seen_;
};

// The same N statements in each run: a seeded choice among those in functions.
std::vector<LinkAddress> sample(const DebugInfo& info, std::size_t count) {
  std::set<LinkAddress> places;
  for (const StatementRow& row : info.statements()) places.insert(row.pc);
  std::vector<LinkAddress> all(places.begin(), places.end());
  std::ranges::shuffle(all, std::mt19937(20));
  std::vector<LinkAddress> chosen;
  for (const LinkAddress pc : all)
    if (chosen.size() < count && info.variables_at(pc)) chosen.push_back(pc);
  return chosen;
}

std::uint64_t lowest_segment(const std::string& program) {
  std::ifstream file(program, std::ios::binary);
  std::array<char, 64> header{};
  file.read(header.data(), header.size());
  std::uint64_t table = 0;
  std::uint16_t count = 0;
  std::memcpy(&table, header.data() + 32, 8);
  std::memcpy(&count, header.data() + 56, 2);
  std::uint64_t lowest = UINT64_MAX;
  for (std::uint16_t i = 0; i < count; ++i) {
    std::array<char, 56> segment{};
    file.seekg(static_cast<std::streamoff>(table + i * 56U));
    file.read(segment.data(), segment.size());
    std::uint32_t type = 0;
    std::uint64_t address = 0;
    std::memcpy(&type, segment.data(), 4);
    std::memcpy(&address, segment.data() + 16, 8);
    if (type == 1) lowest = std::min(lowest, address);
  }
  return page_floor(lowest);
}

pid_t spawn(const std::vector<std::string>& arguments) {
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

// Ends the program when its driver ends or the time is up, so that GDB returns.
void end_program_when_due(pid_t program, pid_t driver, unsigned seconds, std::stop_token stop) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
    if (driver > 0 && waitpid(driver, nullptr, WNOHANG) == driver) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!stop.stop_requested()) kill(program, SIGKILL);
}

void read_numbers(std::istringstream& line, MachineState& state, const std::string& what) {
  if (what == "general")
    for (std::uint64_t& value : state.general) line >> std::hex >> value;
  std::string text;
  if (what == "vector")
    for (auto& bytes : state.vector)
      if (line >> text) std::ranges::copy(from_hex(text), bytes.begin());
}

void follow(const DebugInfo& info, const Options& options, std::istream& from_gdb,
            std::ostream& to_gdb, Counts& counts) {
  Comparer comparer(info, counts);
  std::jthread watch;
  pid_t driver = -1;
  for (std::string text; std::getline(from_gdb, text) && text != "exit";) {
    std::istringstream line(text);
    std::string what;
    line >> what;
    if (what == "started") {
      pid_t program = 0;
      line >> program;
      if (!options.drive.empty()) driver = spawn({"/bin/sh", "-c", options.drive});
      watch = std::jthread([=](std::stop_token stop) {
        end_program_when_due(program, driver, options.seconds, stop);
      });
    } else if (what == "stop") {
      std::uint64_t pc = 0;
      std::uint64_t bias = 0;
      pid_t pid = 0;
      line >> std::hex >> pc >> std::dec >> pid >> std::hex >> bias;
      comparer.begin({pc}, pid, bias);
    } else if (what == "general" || what == "vector") {
      read_numbers(line, comparer.state(), what);
    } else if (what == "variable") {
      comparer.add(parse_variable(line));
    } else if (what == "go") {
      comparer.finish();
      to_gdb << "on" << std::endl;
    }
  }
  watch = {};
  if (driver > 0) kill(driver, SIGTERM);
}

int print(const Options& options, std::size_t sampled, const Counts& counts) {
  std::printf("%s: %zu statements sampled, %zu stopped at\n", options.command[0].c_str(), sampled,
              counts.stops);
  for (const auto& [verdict, number] : counts.by_verdict)
    std::printf("  %-40s %zu\n", verdict.c_str(), number);
  for (const std::string& example : counts.examples) std::printf("    %s\n", example.c_str());
  const bool differs = counts.by_verdict.contains("DIFFERENT");
  const bool saw_any = counts.by_verdict.contains("equal");
  if (!saw_any) std::printf("no value was compared\n");
  return differs || !saw_any ? 1 : 0;
}

int run(const Options& options) {
  const std::string program = std::filesystem::absolute(options.command[0]).string();
  Result<std::unique_ptr<DebugInfo>> info = DebugInfo::open(program, program, {});
  if (!info) {
    std::fprintf(stderr, "%s\n", info.error().message.c_str());
    return 2;
  }
  std::string folder = std::filesystem::temp_directory_path() / "gdb-values-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 2;
  const std::string places = folder + "/places";
  const std::string out = folder + "/out";
  const std::string in = folder + "/in";
  mkfifo(out.c_str(), 0600);
  mkfifo(in.c_str(), 0600);
  const std::vector<LinkAddress> chosen = sample(**info, options.statements);
  {
    std::ofstream file(places);
    for (const LinkAddress pc : chosen) file << std::hex << pc.value << "\n";
  }
  std::ostringstream base;
  base << std::hex << lowest_segment(program);
  setenv("NOHALT_PLACES", places.c_str(), 1);
  setenv("NOHALT_OUT", out.c_str(), 1);
  setenv("NOHALT_IN", in.c_str(), 1);
  setenv("NOHALT_BASE", base.str().c_str(), 1);
  std::vector<std::string> command = {"timeout",
                                      "-k",
                                      "5",
                                      std::to_string(options.seconds + 30),
                                      "gdb",
                                      "-batch",
                                      "-nx",
                                      "-x",
                                      GDB_VALUES_SCRIPT,
                                      "--args",
                                      program};
  command.insert(command.end(), options.command.begin() + 1, options.command.end());
  const pid_t gdb = spawn(command);
  // Opening a pipe waits for its other end; should GDB fail to start, this end
  // opens it in its place.
  const UniqueFd keep_out(::open(out.c_str(), O_RDWR | O_CLOEXEC));
  std::jthread release([&](std::stop_token) {
    waitpid(gdb, nullptr, 0);
    const UniqueFd last(::open(out.c_str(), O_WRONLY | O_CLOEXEC));
    std::ignore = ::write(last.get(), "exit\n", 5);
  });
  std::ifstream from_gdb(out);
  const UniqueFd keep_in(::open(in.c_str(), O_RDWR | O_CLOEXEC));
  std::ofstream to_gdb(in);
  Counts counts;
  follow(**info, options, from_gdb, to_gdb, counts);
  release.join();
  std::filesystem::remove_all(folder);
  return print(options, chosen.size(), counts);
}

}  // namespace
}  // namespace nohalt::symbols

int main(int count, char** values) {
  nohalt::symbols::Options options;
  std::vector<std::string> arguments(values + 1, values + count);
  std::size_t at = 0;
  for (; at + 1 < arguments.size() && arguments[at].starts_with("--"); at += 2) {
    if (arguments[at] == "--statements") options.statements = std::stoul(arguments[at + 1]);
    if (arguments[at] == "--seconds")
      options.seconds = static_cast<unsigned>(std::stoul(arguments[at + 1]));
    if (arguments[at] == "--drive") options.drive = arguments[at + 1];
  }
  options.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  if (options.command.empty()) {
    std::fprintf(
        stderr,
        "test_gdb_values [--statements N] [--seconds S] [--drive COMMAND] PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  return nohalt::symbols::run(options);
}
