// Objects behind pointers to their bases. Says where each is: `name=ADDRESS`.
#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual int area() const = 0;
  int id = 7;
};
struct Circle : Shape {
  int area() const override { return radius * radius * 3; }
  int radius = 5;
  std::string label = "a circle with a long enough label";
};
struct Disc : Circle {
  int area() const override { return radius; }
  int thickness = 2;
};
struct Square : Shape {
  int area() const override { return side * side; }
  int side = 4;
  std::string password = "hunter2-hunter2-hunter2";
};
struct Named {
  virtual ~Named() = default;
  virtual const char* name() const { return tag; }
  const char* tag = "tagged";
};
// A second base with a vtable pointer of its own.
struct Badge : Circle, Named {
  int area() const override { return 0; }
  const char* name() const override { return "badge"; }
  int number = 99;
};
template <class T>
struct Box : Shape {
  int area() const override { return static_cast<int>(sizeof(T)); }
  T held{};
};
namespace {
struct Unseen : Shape {
  int area() const override { return 1; }
  int depth = 11;
};
}  // namespace
struct Root {
  virtual ~Root() = default;
  int root = 1;
};
struct Left : virtual Root {
  int left = 2;
};
struct Right : virtual Root {
  int right = 3;
};
struct Diamond : Left, Right {
  int last = 4;
};
struct Vault {
  virtual ~Vault() = default;
  char password[24] = "hunter2-hunter2-hunter2";
};
struct Teller : virtual Vault {
  int till = 6;
};
struct Animal {
  virtual ~Animal() = default;
  virtual int legs() const { return 0; }
  int age = 3;
};
struct Dog : Animal {
  int legs() const override { return 4; }
  int tail = 1;
};
struct Failure : std::runtime_error {
  Failure() : std::runtime_error("it failed with a text of its own"), code(42) {}
  int code;
};

// Of the library, which has another class of the name Dog.
Animal* stray_dog();
Animal* stray_puppy();

volatile int mark;

struct Holder {
  std::unique_ptr<Shape> own = std::make_unique<Disc>();
  std::shared_ptr<Shape> shared = std::make_shared<Square>();
  std::vector<Shape*> several;
  std::unique_ptr<Shape> none;
  Shape* plain = nullptr;
  Teller* teller = new Teller;
  Animal* stray = stray_dog();
  Animal* young = stray_puppy();
  std::out_of_range far{"an index too far"};
};

struct Worker : Animal {
  int legs() const override { return 2; }
  __attribute__((noinline)) int probe(Holder& holder, Shape* circle, Shape* disc, Shape& square,
                                      Named* named, Animal* animal, Animal* dog, Root* root,
                                      Right* right, const std::exception& error,
                                      const std::exception& failure, const std::exception& memory,
                                      const std::exception& index);
  int hours = 8;
};

int Worker::probe(Holder& holder, Shape* circle, Shape* disc, Shape& square, Named* named,
                  Animal* animal, Animal* dog, Root* root, Right* right,
                  const std::exception& error, const std::exception& failure,
                  const std::exception& memory, const std::exception& index) {
  Animal* self = this;
  mark = 1;  // PROBE classes
  const bool some = error.what() && failure.what() && memory.what() && index.what();
  return circle->area() + disc->area() + square.area() + named->name()[0] + animal->legs() +
         dog->legs() + root->root + right->right + self->legs() + some +
         static_cast<int>(holder.several.size());
}

// So that no call is resolved before it is made.
template <class T>
T* kept(T* object) {
  asm volatile("" : "+r"(object) : : "memory");
  return object;
}

int main() {
  Holder holder;
  holder.several = {kept<Shape>(new Circle), kept<Shape>(new Box<int>),
                    kept<Shape>(new Box<unsigned long>), kept<Shape>(new Unseen)};
  Worker* worker = kept(new Worker);
  Diamond* diamond = kept(new Diamond);
  Animal* dog = kept<Animal>(new Dog);
  Animal* animal = kept(new Animal);
  std::printf("dog=%lu\n", reinterpret_cast<unsigned long>(dog));
  std::printf("animal=%lu\n", reinterpret_cast<unsigned long>(animal));
  std::fflush(stdout);
  int result = 0;
  Failure failure;
  std::bad_alloc memory;
  std::out_of_range index("an index too large");
  std::runtime_error error("a text of an error, long enough for the heap");
  result = worker->probe(holder, kept<Shape>(new Circle), kept<Shape>(new Disc),
                         *kept<Shape>(new Square), kept<Named>(new Badge), animal, dog,
                         kept<Root>(diamond), kept<Right>(diamond), *kept<std::exception>(&error),
                         *kept<std::exception>(&failure), *kept<std::exception>(&memory),
                         *kept<std::exception>(&index));
  return result == 0;
}
