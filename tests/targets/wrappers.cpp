// What the standard library puts around one value or a few (optional, variant,
// tuple, smart pointers, chrono, atomic, function), texts of wide characters, enum
// flags, and structs that a program links by itself. Every line that ends in
// "probed: NAME" is looked at.
//
// Works when told to by a line on stdin, and says "ready" before.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "tests/targets/keep.h"

namespace {

struct Line {
  std::string sku;
  std::int32_t quantity = 0;
};

struct Deleter {
  int tag = 0;
  void operator()(Line* line) const { delete line; }
};

enum Access : unsigned { kRead = 1, kWrite = 2, kRun = 4, kAppend = 64 };
enum class Colour : std::uint8_t { kRed = 1, kGreen, kBlue };

void optionals(int seed) {
  std::optional<int> none;
  std::optional<int> number = seed;
  std::optional<std::string> text = "text " + std::to_string(seed);
  std::optional<Line> line = Line{"sku", seed};
  std::optional<std::vector<int>> several = std::vector<int>{1, 2, 3};
  std::optional<bool> no = false;
  std::vector<std::optional<int>> mixed = {1, std::nullopt, 3};
  use(none, number, text, line, several, no, mixed);  // probed: optionals
}

void variants(int seed) {
  using Choice = std::variant<int, std::string, double, Line>;
  Choice number = seed;
  Choice text = "the second, " + std::to_string(seed);
  Choice real = 2.5;
  Choice line = Line{"sku", seed};
  std::variant<std::monostate, int> nothing;
  std::vector<Choice> mixed = {1, "two", 3.0};
  use(number, text, real, line, nothing, mixed);  // probed: variants
}

template <std::size_t... kNumbers>
auto tuple_of(std::index_sequence<kNumbers...>) {
  return std::make_tuple(static_cast<int>(kNumbers)...);
}

void tuples(int seed) {
  auto many = tuple_of(std::make_index_sequence<26>{});
  std::tuple<> none;
  std::tuple<int> one = {seed};
  std::tuple<int, std::string, double> three = {seed, "tuple " + std::to_string(seed), 0.5};
  std::tuple<std::tuple<char, bool>, std::pair<int, int>> inner = {{'c', true}, {1, 2}};
  std::pair<std::string, int> named = {"pair", seed};
  std::pair<int, std::vector<int>> grouped = {seed, {1, 2}};
  use(none, one, three, inner, named, grouped, many);  // probed: tuples
}

void owners(int seed) {
  std::unique_ptr<int> none;
  auto number = std::make_unique<int>(seed);
  auto line = std::make_unique<Line>(Line{"unique", seed});
  std::unique_ptr<Line, Deleter> own(new Line{"deleter", seed}, Deleter{7});
  auto text = std::make_unique<std::string>("owned " + std::to_string(seed));
  auto several = std::make_unique<int[]>(4);
  std::vector<std::unique_ptr<int>> all;
  all.push_back(std::make_unique<int>(1));
  all.push_back(nullptr);
  use(none, number, line, own, text, several, all);  // probed: owners
}

void sharers(int seed) {
  std::shared_ptr<int> none;
  auto number = std::make_shared<int>(seed);
  auto line = std::make_shared<Line>(Line{"shared", seed});
  auto again = line;
  std::shared_ptr<std::int32_t> inner(line, &line->quantity);
  std::weak_ptr<Line> weak = line;
  std::weak_ptr<int> gone = std::make_shared<int>(5);
  std::map<int, std::shared_ptr<Line>> known = {{1, line}, {2, nullptr}};
  use(none, number, line, again, inner, weak, gone, known);  // probed: sharers
}

void times(int seed) {
  using namespace std::chrono;
  nanoseconds short_time{seed * 3};
  milliseconds pause{1500};
  seconds wait{-30};
  hours day{24};
  duration<double> real{0.125};
  duration<int, std::ratio<1, 60>> frames{90};
  system_clock::time_point moment{system_clock::duration{1'700'000'000'123'456}};
  steady_clock::time_point tick{nanoseconds{987'654'321}};
  time_point<system_clock, seconds> coarse{1'700'000'000s};
  use(short_time, pause, wait, day, real, frames, moment, tick, coarse);  // probed: times
}

void atomics(int seed) {
  std::atomic<int> number = seed;
  std::atomic<bool> flag = true;
  std::atomic<double> real = 1.5;
  std::atomic<std::int64_t> wide = -5'000'000'000;
  static int aim = 9;
  std::atomic<int*> pointer = &aim;
  std::atomic<Colour> colour = Colour::kBlue;
  std::atomic_flag bit = ATOMIC_FLAG_INIT;
  use(number, flag, real, wide, pointer, colour, bit);  // probed: atomics
}

int doubled(int n) { return 2 * n; }

void functions(int seed) {
  std::function<int(int)> none;
  std::function<int(int)> plain = doubled;
  std::function<int(int)> lambda = [seed](int n) { return n + seed; };
  int (*pointer)(int) = doubled;
  use(none, plain, lambda, pointer);  // probed: functions
}

void wide_strings() {
  std::u16string sixteen = u"gr\u00fc\u00df \U0001f41e";
  std::u32string thirtytwo = U"\u202e\U0001f41e end";
  std::wstring wide = L"wide \u20ac \n";
  std::u8string eight = u8"eight \u00fc";
  std::u16string broken = {u'a', char16_t{0xd800}, u'b'};
  use(sixteen, thirtytwo, wide, eight, broken);  // probed: wide_strings
}

void wide_texts() {
  const char16_t fixed[8] = u"fixed";
  const wchar_t* pointed = L"pointed to";
  const char8_t* bytes = u8"\u00fc";
  char32_t letter = U'\u202e';
  use(fixed, pointed, bytes, letter);  // probed: wide_texts
}

void flags() {
  Access none{};
  Access one = kWrite;
  auto two = static_cast<Access>(kRead | kRun);
  auto with_rest = static_cast<Access>(kRead | kAppend | 0x300);
  auto unknown = static_cast<Access>(0x1000);
  Colour colour = Colour::kGreen;
  auto no_colour = static_cast<Colour>(77);
  use(none, one, two, with_rest, unknown, colour, no_colour);  // probed: flags
}

// Linked by hand, as C programs do it.
struct Node {
  int value = 0;
  Node* next = nullptr;
};
struct Link {  // lies within what it links
  Link* next = nullptr;
  Link* previous = nullptr;
};
struct Task {
  int id = 0;
  Link link;
};

void chains(int seed) {
  Node third{seed + 2, nullptr};
  Node second{seed + 1, &third};
  Node first{seed, &second};
  Node* list = &first;
  Node left{1, nullptr};
  Node right{2, &left};
  left.next = &right;
  Node* circle = &left;
  Task one{1, {}};
  Task two{2, {}};
  Link head{&one.link, &two.link};
  one.link = {&two.link, &head};
  two.link = {&head, &one.link};
  use(list, circle, head, one, two, first, second, third, left, right);  // probed: chains
}

}  // namespace

int main() {
  char line[16];
  std::puts("ready");
  std::fflush(stdout);
  for (int seed = 1; std::fgets(line, sizeof line, stdin) != nullptr; ++seed) {
    optionals(seed);
    variants(seed);
    tuples(seed);
    owners(seed);
    sharers(seed);
    times(seed);
    atomics(seed);
    functions(seed);
    wide_strings();
    wide_texts();
    flags();
    chains(seed);
  }
  std::puts("done");
  return 0;
}
