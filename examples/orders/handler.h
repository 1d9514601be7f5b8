// What each request means.
//
//   POST /orders   user=anna&tier=gold&items=widget:3:199,gadget:1:1250
//   GET  /orders/7
//   GET  /health
//
// Items are name:pieces:cents. Replies are JSON.
#pragma once

#include "examples/orders/http.h"
#include "examples/orders/inventory.h"
#include "examples/orders/order_book.h"

namespace orders {

struct Shop {
  OrderBook book;
  Inventory inventory;
};

// Threads: any number at a time.
Response handle(Shop& shop, const Request& request);

}  // namespace orders
