// Containers that one thread changes without a pause, while another comes by a line
// where they can be looked at: no lock is between them, as there is none between a target
// and a probe. The changing thread knows what must be in them and says at the end whether
// it was; it may run for as long as a minute. For half of the time the links of `torn` go in
// a circle.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

struct Stock {
  std::vector<std::string> row;
  std::deque<int> ends;
  std::list<std::string> chain;
  std::list<int> torn{1, 2, 3};
  std::map<int, std::string> tree;
  std::set<long> numbers;
  std::unordered_map<std::string, int> hashed;
  std::optional<std::string> perhaps;
  std::variant<int, std::string> either;
  std::unique_ptr<std::string> owner;
  std::shared_ptr<std::string> shared;
};

volatile sig_atomic_t ended;
std::atomic<bool> stop;
volatile unsigned long looks;

__attribute__((noinline)) void look(const Stock& stock, unsigned long round) {
  asm volatile("" ::"r"(&stock), "r"(round) : "memory");
  looks = round;  // what is in stock here is being changed
}

// Of what is added at the one end, all beyond a few is taken off at the other.
bool change(Stock& stock, unsigned long round) {
  constexpr unsigned long kFew = 24;
  const auto number = static_cast<int>(round);
  const std::string text = round % 3 == 0 ? std::to_string(round) : std::string(40, 'x');
  stock.row.push_back(text);
  if (stock.row.size() > kFew) stock.row = {};
  stock.ends.push_back(number);
  if (stock.ends.size() > kFew) stock.ends.pop_front();
  stock.chain.push_back(text);
  if (stock.chain.size() > kFew) stock.chain.pop_front();
  stock.tree[number] = text;
  if (stock.tree.size() > kFew) stock.tree.erase(stock.tree.begin());
  stock.numbers.insert(static_cast<long>(round * 2654435761UL % 1009));
  if (stock.numbers.size() > 500) stock.numbers.clear();
  stock.hashed[text + std::to_string(round % 64)] = number;
  if (stock.hashed.size() > kFew) stock.hashed.clear();
  stock.perhaps = round % 2 == 0 ? std::optional(text) : std::nullopt;
  if (round % 2 == 0)
    stock.either = number;
  else
    stock.either = text;
  stock.owner = round % 5 == 0 ? nullptr : std::make_unique<std::string>(text);
  stock.shared = std::make_shared<std::string>(text);
  return *stock.shared == text && stock.ends.back() == number && stock.tree.at(number) == text &&
         stock.chain.back() == text;
}

// Where the first node of a list is, and from there the next.
void tear(std::list<int>& list, bool is_torn) {
  static void* right = nullptr;
  void* first = nullptr;
  std::memcpy(&first, &list, sizeof first);
  if (right == nullptr) std::memcpy(&right, first, sizeof right);
  std::memcpy(first, is_torn ? &first : &right, sizeof first);
}

}  // namespace

int main() {
  signal(SIGTERM, [](int) { ended = 1; });
  Stock stock;
  bool right = true;
  std::thread changing([&] {
    unsigned long round = 0;
    for (; !stop && right; ++round) {
      if (round % 2000 == 0) tear(stock.torn, round % 4000 == 0);
      right = change(stock, round);
    }
    tear(stock.torn, false);
  });
  std::puts("ready");
  std::fflush(stdout);
  for (unsigned long round = 0; ended == 0 && round < 60'000; ++round) {
    look(stock, round);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop = true;
  changing.join();
  if (!right || stock.torn.size() != 3) std::puts("the containers are wrong");
  return right ? 0 : 1;
}
