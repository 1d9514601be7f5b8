// Prices: line by line, each with its discount.
#include "examples/orders/pricing.h"

#include "examples/orders/discount.h"

namespace orders {

void price_order(Order* order) {
  std::int64_t total_cents = 0;
  for (const Item& item : order->items) {
    const char* sku = item.sku;
    const std::int64_t line_cents = item.quantity * item.unit_cents;
    const std::int64_t discount = discount_cents(order->customer, line_cents, item.quantity);
    total_cents += line_cents - discount;
    if (sku[0] == '\0') order->status = OrderStatus::kRejected;
  }
  order->total_cents = total_cents;
  order->total = static_cast<double>(total_cents) / 100.0;
}

}  // namespace orders
