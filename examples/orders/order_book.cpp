// A bounded memory of orders.
#include "examples/orders/order_book.h"

#include <algorithm>

namespace orders {
namespace {
constexpr std::size_t kRemembered = 4'096;
constexpr const char* kCountries[] = {"CH", "DE", "FR", "IT"};
}  // namespace

Customer* OrderBook::customer(const std::string& name, Tier tier) {
  const std::lock_guard lock(mutex_);
  auto& entry = customers_[name];
  if (!entry) {
    entry = std::make_unique<Customer>(Customer{name, tier, kCountries[name.size() % 4], 0});
  }
  return entry.get();
}

std::int64_t OrderBook::next_id() {
  const std::lock_guard lock(mutex_);
  return ++last_id_;
}

void OrderBook::remember(const Order& order) {
  const std::lock_guard lock(mutex_);
  if (order.customer != nullptr) order.customer->spent_cents += order.total_cents;
  recent_.push_back(order);
  if (recent_.size() > kRemembered) recent_.pop_front();
}

std::optional<Order> OrderBook::find(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(recent_.rbegin(), recent_.rend(),
                                  [id](const Order& order) { return order.id == id; });
  if (found == recent_.rend()) return std::nullopt;
  return *found;
}

}  // namespace orders
