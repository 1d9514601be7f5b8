#include "tests/unit/inline/debuggee.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace nohalt::engines {

Debuggee::Debuggee(const std::string& argument) {
  std::array<int, 2> output{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0) return;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    // It ends by itself in time, whatever becomes of the test.
    ::alarm(60);
    ::execl(TARGET_PLACES, "places", argument.empty() ? nullptr : argument.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(output[1]);
  std::array<char, 6> ready{};
  EXPECT_EQ(::read(output[0], ready.data(), ready.size()), 6);
  ::close(output[0]);
  if (auto process = target::Process::open(pid_))
    process_ = std::make_unique<target::Process>(std::move(*process));
  if (auto info = symbols::DebugInfo::open(TARGET_PLACES, "places", {})) info_ = std::move(*info);
}

Debuggee::~Debuggee() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

symbols::LineSite Debuggee::site(const std::string& function) const {
  const auto place = info_->resolve(function);
  if (place && place->sites.size() == 1) return place->sites.front();
  ADD_FAILURE() << function << " is not one place";
  return {};
}

}  // namespace nohalt::engines
