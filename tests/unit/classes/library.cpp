// A library with a class of its own under a name that the program has for another.
struct Animal {
  virtual ~Animal() = default;
  virtual int legs() const { return 0; }
  int age = 3;
};
struct Dog : Animal {
  int legs() const override { return 3; }
  double weight = 30.5;
};
struct Puppy : Dog {
  int weeks = 6;
};

Animal* stray_dog() { return new Dog; }
Animal* stray_puppy() { return new Puppy; }
