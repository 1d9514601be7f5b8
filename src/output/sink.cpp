// The descriptor stays in whatever mode it was handed to us (changing stdout to
// non-blocking would change it for the shell too). Instead it is asked before
// each write, and no write is larger than what a pipe that has room surely
// takes: then a write does not block.
#include "src/output/sink.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "policy/access/persons_power.h"
#include "src/base/escape.h"

namespace nohalt::output {

namespace {

constexpr std::size_t kFileChunk = 256 * 1024;

std::unexpected<Error> unwritable(const std::string& what, const std::string& problem,
                                  std::string hint) {
  return fail(ErrorCode::kUsage, "output-unwritable",
              make_printable(what) + " cannot be written: " + problem + ".", std::move(hint));
}

std::string text_of(int error_number) { return std::generic_category().message(error_number); }

// What is wrong with the open file as a place for captured values; empty: nothing.
std::string unfit(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid()) return "it belongs to another user";
  if (status.st_nlink > 1) return "it has more than one name";
  return {};
}

Result<UniqueFd> open_file(const std::string& path) {
  constexpr const char* kHint = "Name a new file, or write to stdout.";
  NOHALT_TRY([[maybe_unused]] const auto power, policy::PersonsPower::take());
  UniqueFd fd(::open(path.c_str(),
                     O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
  if (!fd.valid() && errno == ELOOP) return unwritable(path, "it is a symbolic link", kHint);
  if (!fd.valid()) return unwritable(path, text_of(errno), kHint);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return unwritable(path, text_of(errno), kHint);
  if (const std::string problem = unfit(status); !problem.empty())
    return unwritable(path, problem, kHint);
  // What a target's memory held is for its owner alone, whoever made the file.
  if (::fchmod(fd.get(), 0600) != 0 || ::ftruncate(fd.get(), 0) != 0)
    return unwritable(path, text_of(errno), kHint);
  return fd;
}

}  // namespace

Result<Sink> Sink::open(const std::string& path) {
  Sink sink;
  if (!path.empty()) {
    NOHALT_TRY(sink.file_, open_file(path));
  }
  struct stat status{};
  if (::fstat(sink.fd(), &status) != 0)
    return unwritable("stdout", text_of(errno), "Name a file with -o FILE.");
  sink.is_file_ = S_ISREG(status.st_mode);
  sink.is_terminal_ = ::isatty(sink.fd()) == 1;
  return sink;
}

int Sink::fd() const { return file_.valid() ? file_.get() : STDOUT_FILENO; }

bool Sink::put(std::string_view lines) {
  if (closed_ || queue_.size() - begin_ + lines.size() > kLargestQueue) {
    ++lost_;
    return false;
  }
  if (begin_ > kLargestQueue / 8) {
    queue_.erase(0, begin_);
    begin_ = 0;
  }
  queue_ += lines;
  // A terminal is shared with the live line: what is queued must not wait there.
  if (is_terminal_) write_some(0);
  return true;
}

void Sink::write_some(int timeout_ms) {
  while (!closed_) {
    pollfd state{fd(), begin_ < queue_.size() ? short{POLLOUT} : short{0}, 0};
    const int ready = ::poll(&state, 1, timeout_ms);
    if (ready <= 0) return;
    // A pipe or socket whose reader has gone; POLLERR on a pipe means just that.
    if ((state.revents & (POLLERR | POLLNVAL | POLLHUP)) != 0) break;
    if (begin_ == queue_.size()) return;
    const std::size_t chunk =
        std::min(queue_.size() - begin_, is_file_ ? kFileChunk : std::size_t{PIPE_BUF});
    const ssize_t n = ::write(fd(), queue_.data() + begin_, chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) {
      if (errno != EPIPE) failure_ = text_of(errno);
      break;
    }
    begin_ += static_cast<std::size_t>(n);
    bytes_written_ += static_cast<std::uint64_t>(n);
    if (begin_ == queue_.size()) {
      queue_.clear();
      begin_ = 0;
      return;
    }
  }
  closed_ = true;
}

Result<SinkState> Sink::state() {
  if (!failure_.empty())
    return unwritable("The output", std::exchange(failure_, {}),
                      "Make room, or name another file with -o FILE.");
  return closed_ ? SinkState::kClosed : SinkState::kOpen;
}

Result<SinkState> Sink::pump() {
  const bool idle_file = is_file_ && queue_.empty();
  if (!idle_file) write_some(0);
  return state();
}

Result<SinkState> Sink::drain(std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!closed_ && !queue_.empty() && std::chrono::steady_clock::now() < give_up) write_some(50);
  return state();
}

}  // namespace nohalt::output
