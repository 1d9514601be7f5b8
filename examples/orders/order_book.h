// The orders taken lately and the customers who gave them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "examples/orders/order.h"

namespace orders {

class OrderBook {
 public:
  // The customer of that name; made on first sight. Lives as long as the book.
  Customer* customer(const std::string& name, Tier tier);
  std::int64_t next_id();
  // Keeps the last few thousand orders.
  void remember(const Order& order);
  std::optional<Order> find(std::int64_t id) const;

 private:
  mutable std::mutex mutex_;
  std::int64_t last_id_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Customer>> customers_;
  std::deque<Order> recent_;
};

}  // namespace orders
