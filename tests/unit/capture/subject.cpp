// C++ for the capture tests: std::string, references, members through this.
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

enum class Status : unsigned char { kNew = 1, kPaid = 2 };

struct Item {
  std::string name;
  double price;
};

struct Entity {
  virtual ~Entity() = default;
  long id = 17;
};

class Order : public Entity {
 public:
  Order(std::string customer, std::string token)
      : customer_(std::move(customer)), token_(std::move(token)) {}
  __attribute__((noinline)) int process(const Item& item, const std::string& note, int& counter);
  static int total;

 private:
  std::string customer_;
  Status status_ = Status::kPaid;
  std::string token_;
  Item best_{"best item", 1.5};
  Item* other_ = nullptr;
};
int Order::total = 5;
volatile int mark;

int Order::process(const Item& item, const std::string& note, int& counter) {
  std::string local = "a local string that is long enough to live on the heap";
  std::string small = "tiny";
  std::string empty;
  std::string_view view = "a view";
  std::string_view nowhere;
  std::array<std::uint8_t, 3> fixed = {0, 255, 16};
  std::vector<std::uint8_t> listed = {1, 2, 255};
  std::vector<int> numbers = {1, 2};
  char letters[4] = "hi";
  unsigned char many[32] = {7};
  other_ = &best_;
  Entity* entity = this;
  ++counter;
  std::puts("here=1");
  std::fflush(stdout);
  mark = 1;  // PROBE process
  return static_cast<int>(local.size() + small.size() + empty.size() + note.size() +
                          item.name.size() + static_cast<std::size_t>(entity->id) + view.size() +
                          nowhere.size() + fixed[1] + listed[1] + letters[1] + many[0]) +
         numbers[0] + counter;
}

}  // namespace shop

int main() {
  auto order = std::make_unique<shop::Order>("bob", "s3cr3t-token-value-on-the-heap");
  int counter = 8;
  return order->process({"a lamp", 2.25}, std::string(300, 'x'), counter) == 0;
}
