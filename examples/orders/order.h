// What an order is: the words of the example service's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace orders {

enum class OrderStatus { kReceived, kAccepted, kOutOfStock, kRejected };
enum class Tier { kStandard, kSilver, kGold };

struct Item {
  char sku[16];
  std::int32_t quantity;
  std::int64_t unit_cents;
};

struct Customer {
  std::string name;
  Tier tier;
  const char* country;  // one of a fixed set, never null
  std::int64_t spent_cents;
};

struct Order {
  std::int64_t id;
  std::string user;
  Customer* customer;
  std::vector<Item> items;
  double total;  // in the currency's main unit, for the reply
  std::int64_t total_cents;
  OrderStatus status;
};

}  // namespace orders
