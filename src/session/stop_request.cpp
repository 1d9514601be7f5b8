// The signals are blocked and read from a descriptor: no handler, no race.
#include "src/session/stop_request.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace nohalt::session {

Result<StopRequest> StopRequest::watch() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&wanted, signal);
  if (::pthread_sigmask(SIG_BLOCK, &wanted, nullptr) != 0)
    return fail_errno("pthread_sigmask", "", errno);
  UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return fail_errno("signalfd", "", errno);
  // A reader that went away shows as EPIPE from the write, which is handled.
  ::signal(SIGPIPE, SIG_IGN);
  return StopRequest(std::move(signals));
}

bool StopRequest::wait(std::chrono::milliseconds patience, int other) {
  std::array<pollfd, 2> watched{{{signals_.get(), POLLIN, 0}, {other, POLLIN, 0}}};
  const nfds_t count = other >= 0 ? 2 : 1;
  if (::poll(watched.data(), count, static_cast<int>(patience.count())) > 0 &&
      (watched[0].revents & POLLIN) != 0) {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) wished_ = true;
  }
  return wished_;
}

}  // namespace nohalt::session
