#include "tests/unit/capture/stopped_subject.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "src/base/file.h"

namespace nohalt::test {

namespace {

class SubjectMemory final : public program::Environment {
 public:
  SubjectMemory(int pid, const runtime::HitContext& context, std::uint64_t thread_pointer,
                StoppedSubject::Run& run)
      : pid_(pid), context_(context), thread_pointer_(thread_pointer), run_(run) {}

  std::span<const std::byte> context() override { return std::as_bytes(std::span(&context_, 1)); }
  bool take_token() override { return run_.token_taken = true; }
  bool take_call_token(program::Helper, std::uint64_t frame) override {
    run_.frame = frame;
    return take_token();
  }
  std::span<std::byte> reserve(std::uint32_t size) override {
    run_.body.assign(size, std::byte{0xa5});
    return run_.body;
  }
  void commit() override { run_.committed = true; }
  void abandon() override {}
  std::uint64_t thread_pointer() override { return thread_pointer_; }
  std::int64_t read(program::Helper helper, std::span<std::byte> to, std::uint64_t from,
                    std::uint64_t length) override {
    run_.addresses.push_back(from);
    std::fill(to.begin(), to.end(), std::byte{0});
    if (helper == program::Helper::kReadString) return read_string(to, from);
    if (helper == program::Helper::kReadWide) return read_wide(to, from, length);
    if (helper == program::Helper::kReadStack) return read_stack(to, from);
    if (helper == program::Helper::kTreeNext) return tree_next(to, from, length);
    if (helper == program::Helper::kNextFull) return next_full(to, from, length);
    const bool bounded = helper == program::Helper::kReadBytes;
    const std::size_t size = bounded ? std::min<std::uint64_t>(to.size(), length) : to.size();
    if (size == 0) return 0;
    if (!copy(to.subspan(0, size), from)) return -14;
    return bounded ? static_cast<std::int64_t>(size) : 0;
  }

 private:
  bool copy(std::span<std::byte> to, std::uint64_t from) const {
    iovec local{to.data(), to.size()};
    // An address in the subject is a number here; the interface wants a pointer.
    iovec remote{reinterpret_cast<void*>(from), to.size()};
    return process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(to.size());
  }
  std::int64_t read_stack(std::span<std::byte> to, std::uint64_t from) const {
    std::size_t got = 0;
    while (got < to.size() && copy(to.subspan(got, 1), from + got)) ++got;
    return static_cast<std::int64_t>(got);
  }
  std::int64_t next_full(std::span<std::byte> to, std::uint64_t from, std::uint64_t count) const {
    const std::uint64_t most = std::min<std::uint64_t>(count, to.size() * runtime::kTableSteps);
    std::byte control{0x80};
    for (std::uint64_t seen = 0; seen < most; ++seen) {
      if (!copy(std::span(&control, 1), from + seen)) return -14;
      if (control < std::byte{0x80}) return static_cast<std::int64_t>(seen);
    }
    return static_cast<std::int64_t>(most);
  }
  // As a textbook has it: the tree's own header is above its root.
  std::int64_t tree_next(std::span<std::byte> to, std::uint64_t at, std::uint64_t links) const {
    const auto link = [&](std::uint64_t node, unsigned which) -> std::optional<std::uint64_t> {
      std::uint64_t found = 0;
      const std::uint64_t word = links >> (2 * which) & 3;
      if (!copy(std::as_writable_bytes(std::span(&found, 1)), node + 8 * word)) return {};
      return found;
    };
    enum { kLeft, kRight, kParent };
    auto next = link(at, kRight);
    if (next && *next != 0) {
      while (next) {
        at = *next;
        next = link(at, kLeft);
        if (next && *next == 0) break;
      }
    } else {
      for (next = link(at, kParent); next; next = link(at, kParent)) {
        const auto left = link(*next, kLeft);
        const bool is_header = left != at && link(*next, kParent) == at;
        if (left != at && !is_header && link(*next, kRight) != at) return -14;
        const bool is_there = left == at || is_header;
        at = *next;
        if (is_there) break;
      }
    }
    if (!next) return -14;
    std::memcpy(to.data(), &at, sizeof at);
    return 0;
  }
  std::int64_t read_string(std::span<std::byte> to, std::uint64_t from) const {
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (!copy(to.subspan(i, 1), from + i)) return -14;
      if (to[i] == std::byte{0}) return static_cast<std::int64_t>(i);
    }
    return static_cast<std::int64_t>(to.size());
  }

  std::int64_t read_wide(std::span<std::byte> to, std::uint64_t from, std::uint64_t unit) const {
    for (std::size_t i = 0; i < to.size(); i += unit) {
      const auto character = to.subspan(i, unit);
      if (!copy(character, from + i)) return -14;
      if (std::ranges::all_of(character, [](std::byte byte) { return byte == std::byte{0}; }))
        return static_cast<std::int64_t>(i);
    }
    return static_cast<std::int64_t>(to.size());
  }

  int pid_;
  const runtime::HitContext& context_;
  std::uint64_t thread_pointer_;
  StoppedSubject::Run& run_;
};

std::string marked_line(const std::string& source, const std::string& marker) {
  std::ifstream file(source);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with("PROBE " + marker)) {
      return source.substr(source.rfind('/') + 1) + ":" + std::to_string(number);
    }
  }
  return "";
}

std::uint64_t first_mapping(int pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::uint64_t begin = 0;
  maps >> std::hex >> begin;
  return begin;
}

}  // namespace

StoppedSubject::StoppedSubject(const std::string& executable, const std::string& source,
                               const std::string& marker) {
  auto debug = symbols::DebugInfo::open(executable, executable, {});
  if (!debug) {
    ADD_FAILURE() << debug.error().message;
    return;
  }
  debug_ = std::move(*debug);
  start(executable);
  if (pid_ > 0) stop_at(marked_line(source, marker));
}

StoppedSubject::~StoppedSubject() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (output_ >= 0) close(output_);
}

void StoppedSubject::start(const std::string& executable) {
  int pipes[2];
  ASSERT_EQ(pipe2(pipes, O_NONBLOCK), 0);
  pid_ = fork();
  ASSERT_GE(pid_, 0);
  if (pid_ == 0) {
    dup2(pipes[1], STDOUT_FILENO);
    close(pipes[0]);
    close(pipes[1]);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execl(executable.c_str(), executable.c_str(), nullptr);
    _exit(127);
  }
  close(pipes[1]);
  output_ = pipes[0];
  int status = 0;
  ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
  ASSERT_TRUE(WIFSTOPPED(status));
  bias_ = {debug_->is_position_independent() ? first_mapping(pid_) : 0};
}

void StoppedSubject::stop_at(const std::string& location) {
  const auto place = debug_->resolve(location);
  ASSERT_TRUE(place) << location << ": " << place.error().message;
  const symbols::LineSite& site = place->sites.front();
  const std::uint64_t at = bias_.to_runtime(site.pc).value;
  const long word = ptrace(PTRACE_PEEKTEXT, pid_, at, nullptr);
  ASSERT_EQ(ptrace(PTRACE_POKETEXT, pid_, at, (word & ~0xffL) | 0xcc), 0);
  ASSERT_EQ(ptrace(PTRACE_CONT, pid_, nullptr, nullptr), 0);
  int status = 0;
  ASSERT_EQ(waitpid(pid_, &status, 0), pid_);
  ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) << status;
  read_registers();
  ASSERT_EQ(context_.regs.rip, at + 1);
  context_.regs.rip = at;
  std::string text(65536, '\0');
  text.resize(
      static_cast<std::size_t>(std::max<ssize_t>(0, read(output_, text.data(), text.size()))));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals != line.npos) said_[line.substr(0, equals)] = line.substr(equals + 1);
  }
  auto scope = language::scope_at(*debug_, site);
  ASSERT_TRUE(scope) << scope.error().message;
  scope_ = std::move(*scope);
  ready_ = true;
}

void StoppedSubject::read_registers() {
  user_regs_struct regs{};
  user_fpregs_struct floats{};
  ASSERT_EQ(ptrace(PTRACE_GETREGS, pid_, nullptr, &regs), 0);
  ASSERT_EQ(ptrace(PTRACE_GETFPREGS, pid_, nullptr, &floats), 0);
  std::memcpy(&context_.regs, &regs, sizeof context_.regs);  // both are a struct pt_regs
  thread_pointer_ = regs.fs_base;
  std::memcpy(context_.xmm, floats.xmm_space, sizeof context_.xmm);
}

StoppedSubject::Run StoppedSubject::run(const program::Program& program) const {
  Run result;
  SubjectMemory memory(pid_, context_, thread_pointer_, result);
  result.execution = program::interpret(program, memory);
  return result;
}

}  // namespace nohalt::test
