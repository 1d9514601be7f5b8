// A program that works with a library, and with a plugin where one is named.
#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>

#include "price.h"

namespace {

volatile std::sig_atomic_t is_over = 0;

using Bonus = long(long);

Bonus* open_bonus(const char* path, void*& handle) {
  handle = ::dlopen(path, RTLD_NOW);
  if (handle == nullptr) std::printf("%s\n", ::dlerror());
  return handle == nullptr ? nullptr : reinterpret_cast<Bonus*>(::dlsym(handle, "bonus"));
}

[[gnu::noipa]] long serve(const char* item, long count, Bonus* bonus) {
  long price = price_of(item, count);
  price += rounded(count);
  return bonus == nullptr ? price : price + bonus(price);  // the program's line
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGTERM, [](int) { is_over = 1; });
  void* handle = nullptr;
  Bonus* bonus = count > 1 ? open_bonus(arguments[1], handle) : nullptr;
  if (count > 1 && bonus == nullptr) return 1;
  std::puts("ready");
  std::fflush(stdout);
  long bad = 0;
  while (is_over == 0) {
    for (const char* item : {"apple", "pomegranate"}) {
      const long want = (item[0] == 'a' ? 1200 : 2640) + 5;
      const long got = serve(item, 3, bonus);
      bad += got != (bonus == nullptr ? want : want + want / 10 + 1) ? 1 : 0;
    }
    ::usleep(2000);
  }
  if (handle != nullptr) ::dlclose(handle);
  std::printf("%ld wrong\n", bad);
  return bad == 0 ? 0 : 1;
}
