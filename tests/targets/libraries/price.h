// What the program and its library share. `rounded` is copied into both.
#pragma once

struct Rate {
  virtual ~Rate() = default;
  [[nodiscard]] virtual long of(long amount) const = 0;
  long id = 0;
};

inline long rounded(long cents) {
  long step = 5;
  asm volatile("" : "+r"(step), "+r"(cents));
  const long steps = (cents + step / 2) / step;  // the shared line
  asm volatile("" : : "r"(cents));
  return steps * step;
}

const Rate& best_rate();
long price_of(const char* item, long count);
