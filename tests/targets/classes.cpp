// Objects behind pointers, references and owners of their bases. Every line that ends in
// "probed: NAME" is looked at.
//
// Works when told to by a line on stdin, and says "ready" before.
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "tests/targets/keep.h"

namespace shop {

struct Shape {
  explicit Shape(int number) : id(number) {}
  virtual ~Shape() = default;
  virtual int area() const = 0;
  int id;
};

struct Circle : Shape {
  explicit Circle(int size) : Shape(1), radius(size) {}
  int area() const override { return 3 * radius * radius; }
  int radius;
  std::string label = "round";
};

struct Disc : Circle {
  explicit Disc(int size) : Circle(size) { id = 2; }
  int area() const override { return 2 * radius; }
  double thickness = 0.25;
};

struct Square : Shape {
  explicit Square(int size) : Shape(3), side(size) {}
  int area() const override { return side * side; }
  int side;
};

struct Named {
  virtual ~Named() = default;
  virtual const char* name() const { return tag; }
  const char* tag = "tagged";
};

// A second base with a vtable pointer of its own.
struct Badge : Circle, Named {
  explicit Badge(int size) : Circle(size), number(size * 11) {}
  const char* name() const override { return "badge"; }
  int number;
};

template <class T, int N>
struct Box : Shape {
  explicit Box(T value) : Shape(N), held(value) {}
  int area() const override { return N; }
  T held;
};

}  // namespace shop

namespace {

struct Unseen : shop::Shape {
  explicit Unseen(int value) : Shape(9), depth(value) {}
  int area() const override { return depth; }
  int depth;
};

struct Plain {
  virtual ~Plain() = default;
  virtual int size() const { return count; }
  int count = 6;
};

// Looks at itself before it is what it will be, and after.
struct Careful : Plain {
  explicit Careful(int value);
  int size() const override { return count + more; }
  int more;
};

struct Failure : std::runtime_error {
  explicit Failure(int number) : std::runtime_error("it failed"), code(number) {}
  int code;
};

template <class T>
T* kept(T* object) {
  __asm__ volatile("" : "+r"(object) : : "memory");
  return object;
}

[[gnu::noinline]] void look(const Plain& plain) {
  const Plain* pointer = kept(&plain);
  use(pointer);  // probed: look
}

Careful::Careful(int value) : more(value) { look(*this); }

[[gnu::noinline]] void pointers(int seed) {
  shop::Circle round(seed);
  shop::Disc flat(seed + 1);
  shop::Square edged(seed + 2);
  shop::Badge both(seed + 3);
  shop::Box<unsigned long, 4> box(77);
  Unseen unseen(seed + 4);
  shop::Shape* circle = kept<shop::Shape>(&round);
  shop::Shape* disc = kept<shop::Shape>(&flat);
  shop::Shape* square = kept<shop::Shape>(&edged);
  const shop::Shape* badge = kept<shop::Shape>(&both);
  shop::Named* second = kept<shop::Named>(&both);
  shop::Shape* boxed = kept<shop::Shape>(&box);
  shop::Shape* hidden = kept<shop::Shape>(&unseen);
  shop::Circle* nearer = kept<shop::Circle>(&flat);
  shop::Shape* none = nullptr;
  use(circle, disc, square, badge, second, boxed, hidden, nearer, none);  // probed: pointers
}

[[gnu::noinline]] void references(shop::Shape& disc, const shop::Named& badge, Plain& plain) {
  use(&disc, &badge, &plain);  // probed: references
}

[[gnu::noinline]] void owners(int seed) {
  std::unique_ptr<shop::Shape> own(kept<shop::Shape>(new shop::Disc(seed)));
  std::shared_ptr<shop::Shape> shared(kept<shop::Shape>(new shop::Square(seed)));
  std::unique_ptr<shop::Shape> none;
  shop::Square square(seed);
  shop::Circle circle(seed);
  std::vector<shop::Shape*> several{kept<shop::Shape>(&square), kept<shop::Shape>(&circle)};
  kept(&several);
  use(own, shared, none, several);  // probed: owners
}

[[gnu::noinline]] void looks_at(const std::exception& error) {
  const std::exception* thrown = &error;
  use(thrown);  // probed: looks_at
}

[[gnu::noinline]] void exceptions(int seed) {
  Failure failure(seed);
  std::out_of_range range("an index beyond all bounds, said at length");
  std::logic_error logic("short");
  const std::exception* own = kept<std::exception>(&failure);
  const std::exception* runtime = kept<std::exception>(&range);
  const std::logic_error* logical = kept<std::logic_error>(&logic);
  use(own, runtime, logical);  // probed: exceptions
}

[[gnu::noinline]] int half_made(int seed) {
  const Careful careful(seed);
  return careful.size();
}

}  // namespace

int main() {
  char line[16];
  std::puts("ready");
  std::fflush(stdout);
  for (int seed = 1; std::fgets(line, sizeof line, stdin) != nullptr; ++seed) {
    pointers(seed);
    shop::Disc disc(seed);
    shop::Badge badge(seed);
    Plain plain;
    references(*kept<shop::Shape>(&disc), *kept<shop::Named>(&badge), *kept(&plain));
    owners(seed);
    half_made(seed);
    exceptions(seed);
    try {
      throw Failure(seed);
    } catch (const std::exception& error) {
      looks_at(error);
    }
  }
  std::puts("done");
  return 0;
}
