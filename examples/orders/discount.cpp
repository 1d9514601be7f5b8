// Discounts: so many per cent for the tier, some more for quantity.
#include "examples/orders/discount.h"

namespace orders {
namespace {

std::int64_t percent_for(Tier tier) {
  switch (tier) {
    case Tier::kGold:
      return 10;
    case Tier::kSilver:
      return 5;
    case Tier::kStandard:
      break;
  }
  return 0;
}

}  // namespace

std::int64_t discount_cents(const Customer* customer, std::int64_t line_cents,
                            std::int32_t quantity) {
  std::int64_t percent = percent_for(customer->tier);
  if (quantity >= 10) percent += 2;
  return line_cents * percent / 100;
}

}  // namespace orders
