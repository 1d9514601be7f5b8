// What is in stock.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "examples/orders/order.h"

namespace orders {

class Inventory {
 public:
  // Takes the pieces of every item, or none: false when one is short. Stock is
  // filled up again as soon as it runs low, so that the service runs for ever.
  bool reserve(const Order* order);

 private:
  std::int64_t& stock_of(const char* sku);

  std::mutex mutex_;
  std::unordered_map<std::string, std::int64_t> stock_;
};

}  // namespace orders
