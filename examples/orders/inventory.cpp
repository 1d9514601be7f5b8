// Stock: counted in pieces, refilled by whole pallets.
#include "examples/orders/inventory.h"

namespace orders {
namespace {
constexpr std::int64_t kPallet = 10'000;
constexpr std::int64_t kLow = 1'000;
}  // namespace

std::int64_t& Inventory::stock_of(const char* sku) {
  auto [entry, is_new] = stock_.try_emplace(sku, kPallet);
  return entry->second;
}

bool Inventory::reserve(const Order* order) {
  const std::lock_guard lock(mutex_);
  for (const Item& item : order->items) {
    const std::int64_t left = stock_of(item.sku);
    if (left < item.quantity) return false;
  }
  for (const Item& item : order->items) {
    std::int64_t& left = stock_of(item.sku);
    left -= item.quantity;
    if (left < kLow) left += kPallet;
  }
  return true;
}

}  // namespace orders
