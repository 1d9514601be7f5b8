// A program with a plugin that two threads work with all the time, and a visitor that
// another thread opens, calls and closes: host PLUGIN VISITOR FLAG [IDLE], with so many
// threads more that do nothing. On SIGUSR1 it forks a child that sleeps.
//
// The visitor is loaded while the file FLAG is there. While FLAG holds "loop" it comes
// and goes as fast as it can, while it holds "linger" some ten times a second.
#include <dlfcn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Function = long(long);

std::atomic<bool> is_over = false;
std::atomic<long> bad = 0;
std::atomic<long> visits = 0;
std::atomic<long> rounds = 0;  // of the thread that entertains the visitor

Function* find(void* handle, const char* name) {
  return handle == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(handle, name));
}

void work(Function* bonus) {
  for (long i = 0; !is_over; i = (i + 1) % 1000) {
    if (bonus(i * 10) != i + 1) ++bad;
    if (i == 0) ::usleep(500);
  }
}

void call(Function* visit) {
  for (long i = 0; i < 100; ++i)
    if (visit(i) != 2 * i + 3) ++bad;
  ++visits;
}

void linger(Function* visit) {
  for (int i = 0; i < 100 && visit != nullptr; ++i) {
    call(visit);
    ::usleep(500);
  }
}

void entertain(const char* visitor, const char* flag) {
  void* handle = nullptr;
  while (!is_over) {
    std::string mode;
    const bool wanted = static_cast<bool>(std::ifstream(flag) >> mode);
    if (wanted && handle == nullptr) handle = ::dlopen(visitor, RTLD_NOW);
    if (wanted && handle == nullptr) ++bad;
    if (Function* visit = find(handle, "visit")) call(visit);
    if (mode == "linger") linger(find(handle, "visit"));
    if (handle != nullptr && (!wanted || mode == "loop" || mode == "linger")) {
      ::dlclose(handle);
      handle = nullptr;
    }
    ++rounds;
    ::usleep(mode == "loop" ? 100 : 2000);
  }
  if (handle != nullptr) ::dlclose(handle);
}

[[noreturn]] void stay_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) ::pause();
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return 2;
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  Function* bonus = find(::dlopen(arguments[1], RTLD_NOW), "bonus");
  if (bonus == nullptr) return 2;
  std::thread one(work, bonus);
  std::thread two(work, bonus);
  std::thread host(entertain, arguments[2], arguments[3]);
  std::vector<std::thread> idle(count > 4 ? std::stoul(arguments[4]) : 0);
  for (std::thread& each : idle)
    each = std::thread([] {
      while (!is_over) ::usleep(20'000);
    });
  // By then each has the memory that it works with.
  while (rounds < 2) ::usleep(500);
  std::puts("ready");
  std::fflush(stdout);
  int signal = 0;
  while (::sigwait(&ending, &signal) == 0 && signal == SIGUSR1)
    if (::fork() == 0) stay_with_parent();
  is_over = true;
  for (std::thread* each : {&one, &two, &host}) each->join();
  for (std::thread& each : idle) each.join();
  std::printf("%ld wrong, %ld visits\n", bad.load(), visits.load());
  return bad == 0 ? 0 : 1;
}
