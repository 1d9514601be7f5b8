// From a request to an order and back.
#include "examples/orders/handler.h"

#include <charconv>
#include <cstdio>

#include "examples/orders/pricing.h"

namespace orders {
namespace {

constexpr std::size_t kMaxItems = 32;

Tier tier_of(std::string_view text) {
  if (text == "gold") return Tier::kGold;
  return text == "silver" ? Tier::kSilver : Tier::kStandard;
}

const char* status_name(OrderStatus status) {
  switch (status) {
    case OrderStatus::kReceived:
      return "received";
    case OrderStatus::kAccepted:
      return "accepted";
    case OrderStatus::kOutOfStock:
      return "out-of-stock";
    case OrderStatus::kRejected:
      return "rejected";
  }
  return "?";
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && number > 0;
}

// "widget:3:199"
bool parse_item(std::string_view text, Item& item) {
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  if (first == 0 || first >= sizeof item.sku) return false;
  item.sku[text.copy(item.sku, first)] = '\0';
  return parse_number(text.substr(first + 1, second - first - 1), item.quantity) &&
         parse_number(text.substr(second + 1), item.unit_cents);
}

bool parse_items(std::string_view text, std::vector<Item>& items) {
  while (!text.empty() && items.size() < kMaxItems) {
    const auto one = text.substr(0, text.find(','));
    Item item{};
    if (!parse_item(one, item)) return false;
    items.push_back(item);
    text.remove_prefix(std::min(text.size(), one.size() + 1));
  }
  return text.empty() && !items.empty();
}

Response reply(const Order& order) {
  char text[160];
  std::snprintf(text, sizeof text,
                R"({"id":%lld,"user":"%.40s","total_cents":%lld,"total":%.2f,"status":"%s"})",
                static_cast<long long>(order.id), order.user.c_str(),
                static_cast<long long>(order.total_cents), order.total, status_name(order.status));
  return {order.status == OrderStatus::kOutOfStock ? 409 : 200, text};
}

Response place_order(Shop& shop, const Request& request) {
  const auto user = form_value(request.body, "user");
  const auto items = form_value(request.body, "items");
  Order order{};
  if (!user || !items || !parse_items(*items, order.items)) return {400, R"({"error":"form"})"};
  order.id = shop.book.next_id();
  order.user = *user;
  order.customer =
      shop.book.customer(order.user, tier_of(form_value(request.body, "tier").value_or("")));
  price_order(&order);
  order.status = shop.inventory.reserve(&order) ? OrderStatus::kAccepted : OrderStatus::kOutOfStock;
  shop.book.remember(order);
  return reply(order);
}

Response show_order(Shop& shop, std::string_view id_text) {
  std::int64_t id = 0;
  if (!parse_number(id_text, id)) return {400, R"({"error":"id"})"};
  const auto order = shop.book.find(id);
  return order ? reply(*order) : Response{404, R"({"error":"no such order"})"};
}

}  // namespace

Response handle(Shop& shop, const Request& request) {
  if (request.method == "POST" && request.path == "/orders") return place_order(shop, request);
  if (request.method == "GET" && request.path.starts_with("/orders/")) {
    return show_order(shop, std::string_view(request.path).substr(8));
  }
  if (request.path == "/health") return {200, R"({"ok":true})"};
  return {404, R"({"error":"path"})"};
}

}  // namespace orders
