// As calls.c, of C++: methods, references, and objects that are returned in registers and
// in memory. On SIGTERM the program exits 0 when every result was right.
//
//   objects THREADS
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {

volatile sig_atomic_t ended;
std::atomic<std::uint64_t> wrong;

struct Point {
  std::int32_t x, y;
};

// Returned in memory, small as it is.
struct Owner {
  explicit Owner(std::int64_t n) : value(n) {}
  Owner(const Owner& other) : value(other.value) {}
  ~Owner() { value = -1; }
  std::int64_t value;
};

// Returned in registers: a template's instance is no constructor that copies, though its
// argument is of the class.
struct Handle {
  Handle() = default;
  template <class T>
  explicit Handle(T& from) : value(from.value), more(-1) {}
  std::int64_t value = 0;
  std::int64_t more = 0;
};

struct Till {
  std::int64_t sum = 0;

  [[gnu::noinline, gnu::aligned(16)]] std::int64_t take(std::int64_t amount);
  [[gnu::noinline, gnu::aligned(16)]] Point where(std::int32_t n) const;
  [[gnu::noinline, gnu::aligned(16)]] Owner owner(std::int64_t n) const;
  [[gnu::noinline, gnu::aligned(16)]] Handle handle(std::int64_t n) const;
  [[gnu::noinline, gnu::aligned(16)]] std::int32_t refuse(std::int32_t n) const;
  [[gnu::noinline, gnu::aligned(16)]] std::string label(std::int32_t n) const;
};

std::int64_t Till::take(std::int64_t amount) {
  sum += amount;
  return amount + 5;
}
Point Till::where(std::int32_t n) const { return {n, n + 1}; }
Owner Till::owner(std::int64_t n) const { return Owner(n + 100); }
Handle Till::handle(std::int64_t n) const {
  Handle made;
  made.value = n + 7;
  if (Handle(made).more != -1) ++wrong;
  return made;
}
std::int32_t Till::refuse(std::int32_t n) const {
  if (n % 2 == 1) throw std::runtime_error("refused");
  return n + 3;
}
std::string Till::label(std::int32_t n) const { return "label " + std::to_string(n); }

std::int64_t (Till::*volatile take_it)(std::int64_t) = &Till::take;
Point (Till::*volatile where_is)(std::int32_t) const = &Till::where;
Owner (Till::*volatile owner_of)(std::int64_t) const = &Till::owner;
Handle (Till::*volatile handle_of)(std::int64_t) const = &Till::handle;
std::int32_t (Till::*volatile refuse_it)(std::int32_t) const = &Till::refuse;
std::string (Till::*volatile label_of)(std::int32_t) const = &Till::label;

void expect(bool right) {
  if (!right) ++wrong;
}

[[gnu::noinline]] void try_to_refuse(const Till& till, std::int32_t n) {
  try {
    expect((till.*refuse_it)(n) == n + 3 && n % 2 == 0);
  } catch (const std::runtime_error&) {
    expect(n % 2 == 1);
  }
}

void run(std::int32_t first) {
  Till till;
  for (std::int32_t n = first; !ended; n = (n + 1) % 1000000) {
    expect((till.*take_it)(n) == n + 5);
    expect((till.*where_is)(n).y == n + 1);
    expect((till.*owner_of)(n).value == n + 100);
    expect((till.*handle_of)(n).value == n + 7);
    expect((till.*label_of)(n).size() > 6);
    try_to_refuse(till, n);
    usleep(1000);
  }
}

}  // namespace shop

int main(int count, char** words) {
  const int threads = count > 1 ? std::atoi(words[1]) : 1;
  signal(SIGTERM, [](int) { shop::ended = 1; });
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(shop::run, i * 1000);
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 2;
  for (std::thread& each : all) each.join();
  return shop::wrong == 0 ? 0 : 1;
}
