// The library that the program is linked with.
#include "price.h"

#include <cstring>

namespace {

struct Discount final : Rate {
  [[nodiscard]] long of(long amount) const override { return amount * (100 - percent) / 100; }
  long percent = 20;
};

Discount discount;
long asked = 0;
thread_local long asked_here = 0;

}  // namespace

const Rate& best_rate() {
  discount.id = 77;
  return discount;
}

[[gnu::noipa]] static long quote(const Rate& rate, const char* item, long count) {
  long total = static_cast<long>(std::strlen(item)) * count;
  ++asked_here;
  total = rate.of(total * 100);
  asm volatile("" : "+r"(total));  // the library's line
  asm volatile("" : : "r"(item), "r"(count));
  return total;
}

long price_of(const char* item, long count) {
  ++asked;
  return rounded(quote(best_rate(), item, count));
}
