// Containers of the standard library, one function a kind, with nothing in them,
// one item, as many as are shown, one more, and many. Every line that ends in
// "probed: NAME" is looked at.
//
// Works when told to by a line on stdin, and says "ready" before.
#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/targets/keep.h"

namespace {

struct Line {
  std::string sku;
  std::int32_t quantity = 0;
  double price = 0;
};

struct Point {
  std::int32_t x = 0;
  std::int32_t y = 0;
  bool operator<(const Point& other) const { return x < other.x; }
};

template <class Container>
Container counted(int size) {
  Container container;
  for (int i = 0; i < size; ++i) container.insert(container.end(), i * 3 - 7);
  return container;
}

template <class Map>
Map mapped(int size) {
  Map map;
  for (int i = 0; i < size; ++i) map.insert({i * 5, i * 1000LL - 3});
  return map;
}

std::string name_of(int i) { return "name-" + std::to_string(i); }

// Longer than what lies in the string itself.
std::string long_name_of(int i) { return "a rather long name, number " + std::to_string(i); }

void strings(int seed) {
  std::string empty;
  std::string one = "x";
  std::string inside = "fifteen letters";
  std::string outside = "sixteen letters.";
  std::string numbered = long_name_of(seed);
  std::string longest(300, 'l');
  use(empty, one, inside, outside, numbered, longest);  // probed: strings
}

// What would drive a terminal, and what is no text.
void hostile_strings() {
  std::string zeros("a\0b\0", 4);
  std::string hostile = "\x1b[2J\r\n\t\"\\ \xe2\x80\xae \xe2\x80\xa8 \x7f \xc2\x9b";
  std::string utf8 = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9e";
  std::string bytes = "\xff\xfe not text \xc3";
  use(zeros, hostile, utf8, bytes);  // probed: hostile_strings
}

void views(int seed) {
  const std::string text = long_name_of(seed);
  std::string_view empty;
  std::string_view whole = text;
  std::string_view part = whole.substr(2, 6);
  const std::vector<int> numbers = counted<std::vector<int>>(21);
  const std::array<Point, 3> points = {{{1, 2}, {3, 4}, {5, 6}}};
  std::span<const int> nothing;
  std::span<const int> some(numbers.data() + 3, 4);
  std::span<const int> many = numbers;
  std::span<const Point, 3> fixed = points;
  use(text, empty, whole, part, nothing, some, many, fixed);  // probed: views
}

void vectors() {
  auto empty = counted<std::vector<int>>(0);
  auto one = counted<std::vector<int>>(1);
  auto twenty = counted<std::vector<int>>(20);
  auto more = counted<std::vector<int>>(21);
  auto many = counted<std::vector<int>>(1000);
  std::vector<std::uint8_t> bytes = {0, 1, 127, 128, 255};
  std::vector<double> reals = {0.5, -2.25, 1e300};
  std::vector<Point> points = {{1, -1}, {2, -2}};
  std::vector<Point> spare = {{3, 4}};
  spare.reserve(100);
  use(empty, one, twenty, more, many, bytes, reals, points, spare);  // probed: vectors
}

void bits() {
  std::vector<bool> empty;
  std::vector<bool> one = {true};
  std::vector<bool> some = {true, false, true, true};
  std::vector<bool> twenty(20, true);
  std::vector<bool> more(21);
  more[20] = true;
  std::vector<bool> many(100);
  for (std::size_t i = 0; i < many.size(); i += 3) many[i] = true;
  use(empty, one, some, twenty, more, many);  // probed: bits
}

void arrays(int seed) {
  std::array<int, 0> none{};
  std::array<int, 3> three = {seed, seed + 1, seed + 2};
  std::array<std::string, 2> names = {name_of(seed), long_name_of(seed)};
  std::array<std::int16_t, 21> more{};
  for (std::size_t i = 0; i < more.size(); ++i) more[i] = static_cast<std::int16_t>(100 + i);
  use(none, three, names, more);  // probed: arrays
}

void deques() {
  auto empty = counted<std::deque<int>>(0);
  auto one = counted<std::deque<int>>(1);
  auto twenty = counted<std::deque<int>>(20);
  auto many = counted<std::deque<int>>(1000);
  // Begins and ends in the middle of a block, and goes on in another.
  auto moved = counted<std::deque<int>>(140);
  for (int i = 0; i < 120; ++i) moved.pop_front();
  std::deque<Line> lines;
  for (int i = 0; i < 12; ++i) lines.push_front({name_of(i), i, i * 0.5});
  use(empty, one, twenty, many, moved, lines);  // probed: deques
}

void lists() {
  auto empty = counted<std::list<int>>(0);
  auto one = counted<std::list<int>>(1);
  auto twenty = counted<std::list<int>>(20);
  auto more = counted<std::list<int>>(21);
  auto many = counted<std::list<int>>(1000);
  std::list<std::string> names = {name_of(1), long_name_of(2)};
  use(empty, one, twenty, more, many, names);  // probed: lists
}

void forward_lists() {
  std::forward_list<int> empty;
  std::forward_list<int> one = {1};
  std::forward_list<int> twenty(20, 7);
  std::forward_list<int> more(21, -7);
  std::forward_list<int> many(1000, 5);
  std::forward_list<Line> lines = {{name_of(1), 1, 0.25}, {long_name_of(2), 2, -0.25}};
  use(empty, one, twenty, more, many, lines);  // probed: forward_lists
}

void maps() {
  auto empty = mapped<std::map<int, long long>>(0);
  auto one = mapped<std::map<int, long long>>(1);
  auto twenty = mapped<std::map<int, long long>>(20);
  auto more = mapped<std::map<int, long long>>(21);
  auto many = mapped<std::map<int, long long>>(1000);
  use(empty, one, twenty, more, many);  // probed: maps
}

void named_maps() {
  std::map<std::string, int> named;
  for (int i = 0; i < 7; ++i) named[name_of(i)] = i;
  std::map<std::string, Line, std::greater<>> lines;
  for (int i = 0; i < 3; ++i) lines[long_name_of(i)] = {name_of(i), i, 1.5};
  std::map<Point, std::string> points = {{{2, 3}, "b"}, {{1, 9}, "a"}};
  std::multimap<int, std::string> several = {{1, "a"}, {1, "b"}, {2, "c"}};
  use(named, lines, points, several);  // probed: named_maps
}

void sets() {
  auto empty = counted<std::set<int>>(0);
  auto one = counted<std::set<int>>(1);
  auto twenty = counted<std::set<int>>(20);
  auto many = counted<std::set<int>>(1000);
  std::multiset<char> letters = {'b', 'a', 'b'};
  std::set<std::string> names = {name_of(3), name_of(1), long_name_of(2)};
  use(empty, one, twenty, many, letters, names);  // probed: sets
}

void hash_maps() {
  auto empty = mapped<std::unordered_map<int, long long>>(0);
  auto one = mapped<std::unordered_map<int, long long>>(1);
  auto twenty = mapped<std::unordered_map<int, long long>>(20);
  auto many = mapped<std::unordered_map<int, long long>>(1000);
  std::unordered_map<std::string, Line> lines;
  for (int i = 0; i < 3; ++i) lines[long_name_of(i)] = {name_of(i), i, 1.5};
  std::unordered_multimap<int, std::string> several = {{1, "a"}, {1, "b"}, {2, "c"}};
  use(empty, one, twenty, many, lines, several);  // probed: hash_maps
}

void hash_sets() {
  auto empty = counted<std::unordered_set<int>>(0);
  auto one = counted<std::unordered_set<int>>(1);
  auto twenty = counted<std::unordered_set<int>>(20);
  auto many = counted<std::unordered_set<int>>(1000);
  std::unordered_set<std::string> names = {name_of(3), name_of(1), long_name_of(2)};
  std::unordered_multiset<int> several = {4, 4, 5};
  use(empty, one, twenty, many, names, several);  // probed: hash_sets
}

void nested() {
  std::vector<std::string> names = {"", name_of(1), long_name_of(2)};
  std::vector<Line> lines = {{name_of(1), 1, 0.5}, {long_name_of(2), 2, 1.5}};
  std::vector<std::vector<int>> rows = {{}, {1}, {2, 3}};
  std::map<std::string, std::vector<int>> groups = {{"a", {1, 2}}, {"b", {}}, {"c", {3}}};
  std::map<int, std::map<int, std::string>> tables = {{1, {{2, "x"}}}, {2, {}}};
  use(names, lines, rows, groups, tables);  // probed: nested
}

// As arguments, which are references in registers or on the stack.
[[gnu::noinline]] std::size_t total(const std::vector<Line>& lines,
                                    const std::map<std::string, int>& stock,
                                    const std::string& name, std::vector<int> copied) {
  std::size_t sum = lines.size() + name.size();
  use(lines, stock, name, copied, sum);  // probed: arguments
  return sum + stock.size();
}

}  // namespace

int main() {
  char line[16];
  std::puts("ready");
  std::fflush(stdout);
  std::size_t sum = 0;
  for (int seed = 1; std::fgets(line, sizeof line, stdin) != nullptr; ++seed) {
    strings(seed);
    hostile_strings();
    views(seed);
    vectors();
    bits();
    arrays(seed);
    deques();
    lists();
    forward_lists();
    maps();
    named_maps();
    sets();
    hash_maps();
    hash_sets();
    nested();
    sum += total({{name_of(1), 2, 3.5}}, {{name_of(2), 4}}, long_name_of(seed), {1, 2, 3});
  }
  std::printf("done %zu\n", sum);
  return 0;
}
