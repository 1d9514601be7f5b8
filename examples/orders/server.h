// Loopback connections, served by a few threads that share one epoll.
#pragma once

#include "examples/orders/handler.h"

namespace orders {

// Listens on 127.0.0.1; port 0 takes a free one, which is printed as
// "listening on PORT" on stdout. Serves until SIGTERM or SIGINT; false when
// listening failed.
bool serve(Shop& shop, int port, int threads);

}  // namespace orders
