// The orders service: a small shop on loopback to try nohalt on.
//   orders [--port N] [--threads N]
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "examples/orders/server.h"

int main(int argc, char** argv) {
  int port = 0;
  int threads = 4;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--port") port = std::atoi(argv[i + 1]);
    if (name == "--threads") threads = std::atoi(argv[i + 1]);
  }
  if (argc % 2 == 0 || threads < 1 || threads > 256 || port < 0 || port > 65535) {
    std::fprintf(stderr, "usage: orders [--port N] [--threads N]\n");
    return 2;
  }
  orders::Shop shop;
  if (!orders::serve(shop, port, threads)) {
    std::perror("orders: cannot listen");
    return 1;
  }
  return 0;
}
