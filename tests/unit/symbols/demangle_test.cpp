// Names as C++ and Rust spell them, and names that would spell more than there is room for.
#include "probes/symbols/demangle.h"

#include <gtest/gtest.h>

#include <string_view>

namespace nohalt::symbols {
namespace {

// The n-th part of a mangled name that it may refer to.
std::string part(std::size_t n) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (n == 0) return "S_";
  std::string digits;
  for (std::size_t rest = n - 1; digits.empty() || rest > 0; rest /= kDigits.size())
    digits.insert(digits.begin(), kDigits[rest % kDigits.size()]);
  return "S" + digits + "_";
}

// p<t, t> of p<t, t> of ... a<int, int>, of which each has the one before twice.
std::string doubled(std::size_t times, std::size_t first_part) {
  std::string name;
  for (std::size_t i = 0; i < times; ++i) name += "1pI";
  name += "1aIiiE";
  for (std::size_t i = 0; i < times; ++i) name += part(first_part + times + 1 + i) + "E";
  return name;
}

// Of a function, a tuple that has the one inside of it twice, and so on.
std::string doubled_tuple(std::size_t times) {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string function = "INvC1a1f";
  std::string name = "_R" + function + std::string(times, 'T') + "j";
  for (std::size_t i = times; i > 0; --i) {
    const std::size_t at = function.size() + i - 1;
    const std::string high =
        at < kDigits.size() ? "" : std::string(1, kDigits[at / kDigits.size()]);
    name += "B" + high + kDigits[at % kDigits.size()] + "_E";
  }
  return name + "E";
}

TEST(Demangle, spells_names_as_cpp_does) {
  EXPECT_EQ(cpp_spelling("_ZN4shop5Order7processERKSs"),
            "shop::Order::process(std::string const&)");
  EXPECT_EQ(cpp_spelling("_ZTV4DiscI3DogE"), "vtable for Disc<Dog>");
  EXPECT_EQ(cpp_spelling("_Z4makeIiJicEEvDpOT0_"), "void make<int, int, char>(int&&, char&&)");
}

TEST(Demangle, spells_names_as_rust_does) {
  EXPECT_EQ(rust_spelling("_ZN4core3fmt9Formatter3new17h0123456789abcdefE"),
            "core::fmt::Formatter::new");
  EXPECT_EQ(rust_spelling("_ZN50_$LT$shop..Order$u20$as$u20$core..clone..Clone$GT$5clone"
                          "17h0123456789abcdefE"),
            "<shop::Order as core::clone::Clone>::clone");
  EXPECT_EQ(rust_spelling("_RNvCskwGfYPst2Cb_3foo16example_function"), "foo::example_function");
  EXPECT_EQ(rust_spelling("_RINvNtC3std3mem8align_ofjE"), "std::mem::align_of::<usize>");
}

TEST(Demangle, leaves_what_is_no_mangled_name) {
  for (const char* name : {"", "main", "_Z", "_ZN", "_R", "_ZTVnothing"}) {
    EXPECT_FALSE(cpp_spelling(name)) << name;
    EXPECT_FALSE(rust_spelling(name)) << name;
  }
  EXPECT_FALSE(rust_spelling("_ZN4shop5OrderC1Ev"));
}

TEST(Demangle, gives_up_on_what_would_never_end) {
  EXPECT_TRUE(cpp_spelling("_ZTV" + doubled(4, 0)));
  EXPECT_FALSE(cpp_spelling("_ZTV" + doubled(60, 0)));
  EXPECT_FALSE(cpp_spelling("_Z1fIJEEvDp" + doubled(60, 1)));
  EXPECT_EQ(rust_spelling(doubled_tuple(2)), "a::f::<((usize, usize), (usize, usize))>");
  EXPECT_FALSE(rust_spelling(doubled_tuple(60)));
}

}  // namespace
}  // namespace nohalt::symbols
