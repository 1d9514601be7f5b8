// What an order costs.
#pragma once

#include "examples/orders/order.h"

namespace orders {

// Fills in total_cents and total.
void price_order(Order* order);

}  // namespace orders
