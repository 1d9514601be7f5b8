// The same for C++: strings, references, members, base classes, scoped enums.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

enum class Mood : std::uint8_t { kCalm, kBusy = 4, kWild = 200 };

struct Named {
  std::string name;
  std::int32_t number = 0;
};

struct Worker : Named {
  Mood mood = Mood::kCalm;
  const Worker* boss = nullptr;
  std::int64_t paid(std::int64_t hours) const;
};

std::uint64_t total;

[[gnu::noinline]] std::int64_t Worker::paid(std::int64_t hours) const {
  std::int64_t wage = number * 10;
  if (mood == Mood::kBusy) wage += 5;
  const std::int64_t pay = wage * hours;
  total += static_cast<std::uint64_t>(pay);
  return pay + (boss != nullptr ? boss->number : 0);
}

[[gnu::noinline]] std::size_t greet(const std::string& who, std::int32_t& counter, Mood mood) {
  std::string text = "hello ";
  text += who;
  counter += 1;
  const std::size_t length = text.size();
  total += length + static_cast<std::size_t>(mood);
  return length;
}

[[gnu::noinline]] std::int64_t team(const Worker* workers, int count) {
  std::int64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    const Worker& worker = workers[i];
    const bool is_boss = worker.boss == nullptr;
    sum += worker.paid(i + 1);
    total += is_boss ? 1u : 0u;
  }
  return sum;
}

}  // namespace

// Called before the work begins.
static void prepare(Worker (&workers)[3]) {
  const char* const names[] = {"anna", "a name that is longer than the short string buffer", ""};
  for (int i = 0; i < 3; ++i) {
    workers[i].name = names[i];
    workers[i].number = (i + 1) * 11;
    workers[i].mood = i == 1 ? Mood::kBusy : Mood::kWild;
    workers[i].boss = i == 0 ? nullptr : &workers[0];
  }
}

// Called at the end of each piece of work. Clears the stack below its caller, where
// return addresses of calls that are over lie about.
[[gnu::noinline]] void finished() {
  char below[8192];
  std::memset(below, 0, sizeof below);
  __asm__ volatile("" : : "r"(below) : "memory");
}

int main() {
  char line[16];
  Worker workers[3];
  prepare(workers);
  std::puts("ready");
  std::fflush(stdout);
  std::int64_t sum = 0;
  std::int32_t counter = 0;
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    for (int i = 0; i < 6; ++i) {
      sum += team(workers, i % 3 + 1);
      sum += static_cast<std::int64_t>(greet(workers[i % 3].name, counter, workers[i % 3].mood));
    }
    finished();
  }
  std::printf("done %lld %llu %d\n", static_cast<long long>(sum),
              static_cast<unsigned long long>(total), counter);
  return 0;
}
