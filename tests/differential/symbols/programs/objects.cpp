// C++ locals: references, classes with bases, templates, lambdas, exceptions,
// and code that is inlined into other code. Runs to its end by itself.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {

struct Named {
  std::string name;
  virtual ~Named() = default;
  virtual double area() const { return 0; }
};

struct Counted {
  static int alive;
  int id = ++alive;
};
int Counted::alive = 0;

class Square : public Named, public Counted {
 public:
  explicit Square(double side) : side_(side) { name = "square"; }
  double area() const override {
    double result = side_ * side_;
    return result;
  }
  double area(int times) const { return area() * times; }

 private:
  double side_;
};

template <class T>
[[gnu::noinline]] T largest(const std::vector<T>& items) {
  T best = items.front();
  for (const T& item : items)
    if (best < item) best = item;
  return best;
}

namespace {
[[gnu::noinline]] int checked(int value, const char*& text) {
  if (value % 3 == 0) throw std::runtime_error("multiple of three");
  text = value % 2 == 0 ? "even" : "odd";
  return value + 1;
}
}  // namespace

}  // namespace shapes

[[gnu::noinline]] int run(int rounds) {
  int failures = 0;
  std::map<std::string, int> counts;
  for (int round = 0; round < rounds; ++round) {
    const char* text = "";
    try {
      const int got = shapes::checked(round, text);
      counts[text] += got;
    } catch (const std::runtime_error& error) {
      const std::string what = error.what();
      failures += static_cast<int>(what.size());
    }
  }
  auto add = [&failures, &counts](const std::string& key) {
    const int before = failures;
    failures += counts[key];
    return failures - before;
  };
  return add("odd") + add("even");
}

int main() {
  shapes::Square small(1.5);
  shapes::Square big(4);
  const shapes::Named& named = big;
  std::vector<int> numbers{3, 9, 4};
  std::vector<double> reals{small.area(2), named.area()};
  const int best = shapes::largest(numbers);
  const double most = shapes::largest(reals);
  const int result = run(best);
  std::printf("%d %d %.2f %d\n", best, result, most, shapes::Counted::alive);
  return 0;
}
