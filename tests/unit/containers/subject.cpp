// Containers of the C++ library that it is compiled with, each with what it holds said in
// a line of its own: `name=[1, 2]`. See flat_text.h for how that is written.
#include <array>
#include <cstdio>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

struct Item {
  std::string name;
  int number = 0;
  bool operator<(const Item& other) const { return number < other.number; }
};
struct Account {
  std::string user = "ann";
  std::string password = "hunter2-hunter2-hunter2-hunter2";
  int pin = 4711;
};
struct Closer {
  int kind = 3;
  void operator()(Item* item) const { delete item; }
};

constexpr std::size_t kShown = 20;

template <class T>
void say(std::ostream& out, const T& value);

void say_one(std::ostream& out, const std::string& text) { out << '"' << text << '"'; }
void say_one(std::ostream& out, std::string_view text) { out << '"' << text << '"'; }
void say_one(std::ostream& out, const Item& item) {
  out << '{';
  say_one(out, item.name);
  out << ", " << item.number << '}';
}
template <class A, class B>
void say_one(std::ostream& out, const std::pair<A, B>& pair) {
  out << '{';
  say(out, pair.first);
  out << ", ";
  say(out, pair.second);
  out << '}';
}
template <class T>
void say_one(std::ostream& out, const std::optional<T>& value) {
  if (!value) {
    out << "none";
    return;
  }
  out << "some ";
  say(out, *value);
}
template <class... Ts>
void say_one(std::ostream& out, const std::variant<Ts...>& value) {
  out << '#' << value.index() << ' ';
  std::visit([&](const auto& held) { say(out, held); }, value);
}
template <class T, class D>
void say_one(std::ostream& out, const std::unique_ptr<T, D>& owner) {
  if (!owner) {
    out << "null";
    return;
  }
  out << "-> ";
  say(out, *owner);
}
template <class T>
void say_one(std::ostream& out, const std::shared_ptr<T>& owner) {
  if (!owner) {
    out << "null";
    return;
  }
  out << "-> ";
  say(out, *owner);
  out << " uses " << owner.use_count();
}
template <class T>
void say_one(std::ostream& out, const std::weak_ptr<T>& owner) {
  // Asking it makes an owner for a while.
  if (owner.expired()) {
    out << "expired";
    return;
  }
  out << "-> ";
  say(out, *owner.lock());
  out << " uses " << owner.use_count();
}

template <class T>
concept Range = requires(const T& value) { value.begin() == value.end(); };

template <class T>
void say(std::ostream& out, const T& value) {
  if constexpr (requires { say_one(out, value); }) {
    say_one(out, value);
  } else if constexpr (Range<T>) {
    out << '[';
    std::size_t shown = 0;
    for (const auto& item : value) {
      out << (shown > 0 ? ", " : "");
      if (shown++ == kShown) {
        out << "...";
        break;
      }
      say(out, item);
    }
    out << ']';
  } else {
    out << static_cast<long>(value);
  }
}

struct Bag {
  std::vector<int> ints{1, -2, 3};
  std::vector<int> no_ints;
  std::vector<long> many = std::vector<long>(50, 7);
  std::vector<std::string> texts{"short", std::string(100, 'x'), ""};
  std::vector<Item> items{{"lamp", 2}, {"chair", 3}};
  std::vector<std::vector<int>> nested{{1, 2}, {}, {3}};
  std::vector<bool> bits;
  std::vector<bool> few_bits{true, false, true};
  std::deque<int> ends;
  std::deque<Item> items_at_ends{{"first", 1}, {"second", 2}};
  std::deque<int> no_ends;
  std::list<std::string> chain{"a", "b", std::string(70, 'c')};
  std::list<int> no_chain;
  std::list<Item> long_chain;
  std::forward_list<int> forward{1, 2, 3};
  std::forward_list<int> no_forward;
  std::forward_list<int> long_forward = std::forward_list<int>(25, 4);
  std::map<int, std::string> tree;
  std::map<std::string, std::vector<int>> tree_of_rows{{"one", {1}}, {"two", {2, 2}}};
  std::map<int, int> no_tree;
  std::map<int, int> one_in_tree{{5, 6}};
  std::map<int, int> large_tree;
  std::multimap<int, int> many_tree{{1, 2}, {1, 3}, {2, 4}};
  std::set<std::string> names{"x", "y"};
  std::set<char> letters{'b', 'a', 'c'};
  std::set<Item> item_set{{"p", 1}, {"q", 2}, {"r", 3}};
  std::multiset<int> many_set{2, 2, 1};
  std::unordered_map<std::string, int> hashed{{"k", 1}, {"l", 2}, {"m", 3}};
  std::unordered_map<int, Item> hashed_items{{1, {"i", 1}}};
  std::unordered_set<int> hashed_set{5, 6, 7};
  std::unordered_set<std::string> no_hashed;
  std::optional<int> perhaps{9};
  std::optional<int> not_at_all;
  std::optional<std::string> perhaps_text{"maybe, in a text that is long enough for the heap"};
  std::optional<std::vector<int>> perhaps_row{{4, 5}};
  std::variant<int, std::string, Item> first_of{3};
  std::variant<int, std::string, Item> second_of{"the second"};
  std::variant<int, std::string, Item> third_of{Item{"third", 8}};
  std::unique_ptr<Item> owner = std::make_unique<Item>(Item{"owned", 1});
  std::unique_ptr<int> int_owner = std::make_unique<int>(12);
  std::unique_ptr<Item> no_owner;
  std::unique_ptr<Item, Closer> closing_owner{new Item{"closed", 2}, {}};
  std::shared_ptr<Item> shared = std::make_shared<Item>(Item{"shared", 5});
  std::shared_ptr<Item> sharing = shared;
  std::shared_ptr<Item> not_shared;
  std::weak_ptr<Item> weak = shared;
  std::weak_ptr<Item> expired = std::make_shared<Item>(Item{"gone", 6});
  std::span<const int> view{ints};
  std::span<const int, 2> view_of_two{ints.data(), 2};
  std::string_view view_of_text = "viewed";
  std::string_view view_of_nothing;
  std::string short_text = "short";
  std::string long_text = std::string(120, 'l');
  std::string no_text;

  std::vector<Account> accounts = std::vector<Account>(2);
  std::map<std::string, Account> accounts_by_name{{"a", {}}};
  std::optional<Account> perhaps_account{Account{}};
  std::variant<int, Account> account_or_not{Account{}};
  std::unique_ptr<Account> own_account = std::make_unique<Account>();
};

volatile int mark;

__attribute__((noinline)) int probe(Bag& bag, std::vector<Item>& parameter) {
  std::map<int, std::string> local_tree = bag.tree;
  std::vector<std::string> local_texts = bag.texts;
  Bag* pointer = &bag;
  mark = 1;  // PROBE containers
  return static_cast<int>(bag.ints.size() + parameter.size() + local_tree.size() +
                          local_texts.size() + pointer->bits.size());
}

template <class T>
void tell(const char* name, const T& value) {
  std::ostringstream out;
  say(out, value);
  std::printf("%s=%s\n", name, out.str().c_str());
  std::printf("&%s=%lu\n", name, reinterpret_cast<unsigned long>(&value));
}
#define TELL(name) tell(#name, bag.name)

int main() {
  Bag bag;
  for (int i = 0; i < 30; ++i) bag.bits.push_back(i % 3 == 0);
  for (int i = 0; i < 1500; ++i) bag.ends.push_back(i);
  for (int i = 0; i < 12; ++i) bag.ends.push_front(-i);
  for (int i = 0; i < 25; ++i) bag.long_chain.push_back({"item", i});
  for (int i = 0; i < 15; ++i) bag.tree[i * 7 % 15] = std::to_string(i);
  for (int i = 0; i < 3000; ++i) bag.large_tree[i * 1237 % 3001] = i;
  TELL(ints), TELL(no_ints), TELL(many), TELL(texts), TELL(items), TELL(nested), TELL(bits);
  TELL(few_bits), TELL(ends), TELL(items_at_ends), TELL(no_ends), TELL(chain), TELL(no_chain);
  TELL(long_chain), TELL(forward), TELL(no_forward), TELL(long_forward), TELL(tree);
  TELL(tree_of_rows), TELL(no_tree), TELL(one_in_tree), TELL(large_tree), TELL(many_tree);
  TELL(names), TELL(letters), TELL(item_set), TELL(many_set), TELL(hashed), TELL(hashed_items);
  TELL(hashed_set), TELL(no_hashed), TELL(perhaps), TELL(not_at_all), TELL(perhaps_text);
  TELL(perhaps_row), TELL(first_of), TELL(second_of), TELL(third_of), TELL(owner);
  TELL(int_owner), TELL(no_owner), TELL(closing_owner), TELL(shared), TELL(not_shared);
  TELL(weak), TELL(expired), TELL(view), TELL(view_of_two), TELL(view_of_text);
  TELL(view_of_nothing), TELL(short_text), TELL(long_text), TELL(no_text);
  std::fflush(stdout);
  return probe(bag, bag.items) == 0;
}
