// What a customer is let off.
#pragma once

#include <cstdint>

#include "examples/orders/order.h"

namespace orders {

// Cents off for one line: by the customer's tier, and for ten pieces or more.
std::int64_t discount_cents(const Customer* customer, std::int64_t line_cents,
                            std::int32_t quantity);

}  // namespace orders
