// stderr may be a terminal that its user has paused, or a pipe that nobody
// reads: what cannot be written soon is not written, so that removal is never
// held up by talk.
#include "src/output/talk.h"

#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "policy/limits/lowering.h"
#include "src/base/escape.h"

namespace nohalt::output {

namespace {

constexpr std::chrono::milliseconds kLongestSay{1000};
constexpr std::chrono::milliseconds kBetweenStatus{200};

void write_soon(std::string_view text, std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!text.empty()) {
    pollfd state{STDERR_FILENO, POLLOUT, 0};
    const int ready = ::poll(&state, 1, static_cast<int>(patience.count()));
    const bool late = std::chrono::steady_clock::now() > give_up;
    if (ready <= 0 || (state.revents & POLLOUT) == 0 || late) return;
    const ssize_t n =
        ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// Each line made safe on its own, so that a message may have several. Only the
// first may stand at the margin: no other can pass for a line of nohalt's own.
std::string safe_lines(std::string_view text, std::string_view indent) {
  std::string out;
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!out.empty() && indent.empty() && !text.starts_with(' ')) out.append("  ");
    out.append(indent).append(make_printable(text.substr(0, end))).append("\n");
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
    if (text.empty()) return out;
  }
}

bool takes_colour(int fd) { return ::isatty(fd) == 1 && std::getenv("NO_COLOR") == nullptr; }

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

}  // namespace

std::string error_text(const Error& error, bool colour) {
  std::string text = colour ? "\x1b[1;31mnohalt:\x1b[0m " : "nohalt: ";
  text += safe_lines(error.message, "");
  if (!error.hint.empty()) text += safe_lines(error.hint, "  ");
  return text;
}

std::string status_text(const LiveStatus& status) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(status.left);
  return fmt::format("{} hits, {} written, {} over the limit, {} lost; ends in {} (Ctrl-C: now)",
                     status.hits, status.written, status.suppressed, status.dropped,
                     policy::duration_text(seconds));
}

bool stdout_takes_colour() { return takes_colour(STDOUT_FILENO); }

Talk::Talk() : is_terminal_(::isatty(STDERR_FILENO) == 1), colour_(takes_colour(STDERR_FILENO)) {}

void Talk::error(const Error& error) {
  clear_status();
  write_soon(error_text(error, colour_), kLongestSay);
}

void Talk::say(std::string_view lines) {
  clear_status();
  write_soon(lines, kLongestSay);
}

void Talk::status(const LiveStatus& status) {
  const auto now = std::chrono::steady_clock::now();
  if (!is_terminal_ || now - last_status_ < kBetweenStatus) return;
  last_status_ = now;
  status_shown_ = true;
  const std::string line = status_text(status).substr(0, terminal_width() - 1);
  write_soon("\r\x1b[2K" + line, std::chrono::milliseconds{0});
}

void Talk::clear_status() {
  if (!status_shown_) return;
  status_shown_ = false;
  last_status_ = {};
  write_soon("\r\x1b[2K", std::chrono::milliseconds{0});
}

}  // namespace nohalt::output
