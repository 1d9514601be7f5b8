// A child process that runs one function, for tests that touch a live process.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <new>
#include <string>
#include <thread>

namespace nohalt::test {

// Shared with the child.
struct Shared {
  std::atomic<int> ready;
  std::atomic<int> go;
  std::atomic<std::uint64_t> value;
  std::atomic<std::uint64_t> other;
};

class Child {
 public:
  // The child ends with what `body` returns, or with its parent.
  explicit Child(const std::function<int(Shared&)>& body) {
    void* page =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_ = new (page) Shared{};
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(60);
    ::_exit(body(*shared_));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ != 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::munmap(shared_, sizeof(Shared));
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  Shared& shared() { return *shared_; }

  // Until the child has set `ready` (and, if asked, then sleeps in a call).
  void wait_ready(bool asleep = false) const {
    while (shared_->ready == 0) pause_briefly();
    while (asleep && state() != 'S') pause_briefly();
  }
  [[nodiscard]] bool alive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

  // Waits for the end; what the body returned, or minus the signal.
  int join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }
  [[nodiscard]] char state() const;

  pid_t pid_ = 0;
  Shared* shared_ = nullptr;
};

inline char Child::state() const {
  char line[256] = {};
  const std::string path = "/proc/" + std::to_string(pid_) + "/stat";
  FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return '?';
  const std::size_t n = std::fread(line, 1, sizeof line - 1, file);
  std::fclose(file);
  const std::string text(line, n);
  const auto at = text.rfind(')');
  return at == std::string::npos ? '?' : text[at + 2];
}

}  // namespace nohalt::test
