// C++: virtual and inlined calls, lambdas under algorithms and std::function,
// exceptions through frames with destructors, templates, threads.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {

static volatile int total;

struct Item {
  virtual ~Item() = default;
  virtual int price(int count) const = 0;
};

struct Plain final : Item {
  int each;
  explicit Plain(int value) : each(value) {}
  int price(int count) const override {
    total = total + each;
    return each * count;
  }
};

struct Discounted final : Item {
  std::unique_ptr<Item> under;
  explicit Discounted(std::unique_ptr<Item> item) : under(std::move(item)) {}
  int price(int count) const override {
    const int full = under->price(count);
    total = total - 1;
    return full * 9 / 10;
  }
};

struct Guard {
  int value;
  explicit Guard(int given) : value(given) { total = total + given; }
  __attribute__((noinline)) ~Guard() {
    total = total - value;
    total = total + 1;
  }
};

template <class T>
__attribute__((noinline)) T largest(const std::vector<T>& from) {
  T best = from.front();
  for (const T& each : from) {
    if (best < each) best = each;
    total = total + 1;
  }
  return best;
}

__attribute__((noinline)) int fails(int depth) {
  const Guard guard(depth);
  if (depth == 0) throw std::runtime_error("enough");
  return fails(depth - 1) + 1;
}

__attribute__((noinline)) int catches(int depth) {
  try {
    return fails(depth);
  } catch (const std::exception& error) {
    total = total + 7;
    return static_cast<int>(std::string(error.what()).size());
  }
}

__attribute__((noinline)) int sorted(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end(), [](int a, int b) {
    total = total + a;
    return a < b;
  });
  std::function<int(int)> twice = [&numbers](int at) {
    total = total + at;
    return numbers[static_cast<std::size_t>(at)] * 2;
  };
  int sum = 0;
  std::for_each(numbers.begin(), numbers.end(), [&](int each) { sum += twice(each % 3); });
  return sum;
}

__attribute__((noinline)) int counts(const std::string& text) {
  std::map<char, int> seen;
  for (const char c : text) seen[c]++;
  int odd = 0;
  for (const auto& [letter, count] : seen) {
    total = total + letter;
    odd += count & 1;
  }
  return odd;
}

struct Shop {
  std::vector<std::unique_ptr<Item>> items;

  int round(int n) {
    int sum = 0;
    for (const auto& item : items) sum += item->price(n);
    sum += catches(n + 2) + sorted({5, 3, 9, 1, n}) + counts("a bag of letters");
    sum += largest(std::vector<int>{1, 4, 2}) + static_cast<int>(largest(std::vector<double>{2, 1}));
    return sum;
  }
};

}  // namespace shop

int main() {
  shop::Shop shop;
  shop.items.push_back(std::make_unique<shop::Plain>(4));
  shop.items.push_back(
      std::make_unique<shop::Discounted>(std::make_unique<shop::Plain>(20)));
  int sum = 0;
  for (int i = 0; i < 3; i++) {
    std::thread other([&shop, i] { shop.round(i + 1); });
    sum += shop.round(i);
    other.join();
  }
  std::printf("%d\n", sum);
}
