// Instructions as people read them.
#include "probes/engines/inline/sites/listing.h"

#include <gtest/gtest.h>

#include <vector>

namespace nohalt::inline_sites {
namespace {

std::string text(const std::vector<std::uint8_t>& code) { return listing(code, {0x401000}); }

TEST(Listing, IsAttSyntax) { EXPECT_EQ(text({0x8b, 0x47, 0x10}), "movl 0x10(%rdi), %eax"); }

TEST(Listing, NamesWhereABranchGoes) {
  EXPECT_EQ(text({0xe8, 0xfb, 0x0f, 0x00, 0x00}), "callq 0x402000");
}

TEST(Listing, NamesTheAddressOfARipRelativeOperand) {
  EXPECT_EQ(text({0x8b, 0x05, 0xfa, 0x0f, 0x00, 0x00}), "movl 0xffa(%rip), %eax  # 0x402000");
}

TEST(Listing, IsEmptyWhereNothingDecodes) { EXPECT_EQ(text({0x06}), ""); }

}  // namespace
}  // namespace nohalt::inline_sites
