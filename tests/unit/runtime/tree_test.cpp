// Walking ordered trees from a hit: node by node as the library does, a bounded number of
// reads for each, and an error for whatever is not a tree.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "probes/program/program.h"
#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::RuntimeEntry;
using Read = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t);
using TreeNext = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t, std::uint64_t);

constexpr std::size_t kPage = 4096;
const std::uint64_t kGnuLinks = program::tree_links(16, 24, 8);
const std::uint64_t kLlvmLinks = program::tree_links(0, 8, 16);

template <class T>
std::uint64_t address(const T* place) {
  return reinterpret_cast<std::uint64_t>(place);
}

// A node as libc++ lays it out.
struct Node {
  std::uint64_t left = 0, right = 0, parent = 0, number = 0;
};

class TreeWalk : public ::testing::Test {
 protected:
  TreeWalk() : run_({{.body_size = 64, .hits_per_second = 10}}), site_(run_.constants(0)) {
    hit_.site = &site_;
    hit_.regs.rsp = address(&hit_);
  }
  // The next node's address; nothing: an error, which leaves a zero.
  std::optional<std::uint64_t> next(std::uint64_t node, std::uint64_t links) {
    std::uint64_t to[2] = {~0ULL, 0x5a5a5a5a};
    const std::int64_t result =
        run_.function<TreeNext>(RuntimeEntry::kTreeNext)(&hit_, to, 8, node, links);
    EXPECT_EQ(to[1], 0x5a5a5a5aU) << "behind what it may write";
    if (result == 0) return to[0];
    EXPECT_LT(result, 0);
    EXPECT_EQ(to[0], 0U);
    return std::nullopt;
  }

  testing::InProcessRun run_;
  runtime::SiteConstants site_;
  HitContext hit_{};
};

// A node of std::set<long> is its links (32 bytes) and its item.
std::uint64_t node_of(const long& item) { return address(&item) - 32; }

TEST_F(TreeWalk, MeetsEachNodeInOrderAndThenTheHeader) {
  std::mt19937_64 random(3);
  for (const int size : {1, 2, 3, 7, 20, 500, 20'000}) {
    std::set<long> tree;
    while (tree.size() < static_cast<std::size_t>(size)) tree.insert(static_cast<long>(random()));
    std::uint64_t node = node_of(*tree.begin());
    for (const long& item : tree) {
      ASSERT_EQ(node, node_of(item)) << size;
      const auto after = next(node, kGnuLinks);
      ASSERT_TRUE(after) << size;
      node = *after;
    }
    EXPECT_EQ(node, address(&tree) + 8) << "the header";
  }
}

// A balanced tree of the items [first, last), with libc++'s links.
std::uint64_t build(std::vector<Node>& nodes, std::size_t first, std::size_t last,
                    std::uint64_t parent) {
  if (first == last) return 0;
  const std::size_t middle = (first + last) / 2;
  Node& node = nodes[middle];
  node.parent = parent;
  node.left = build(nodes, first, middle, address(&node));
  node.right = build(nodes, middle + 1, last, address(&node));
  return address(&node);
}

TEST_F(TreeWalk, MeetsEachNodeOfTheOtherLibraryAndItsShortHeaderAtTheEndOfMemory) {
  // The header is one word here; what is behind it need not be there.
  void* pages =
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(static_cast<char*>(pages) + kPage, kPage);
  auto* header = reinterpret_cast<std::uint64_t*>(static_cast<char*>(pages) + kPage - 8);
  for (const std::size_t size : {1U, 2U, 5U, 100U, 3000U}) {
    std::vector<Node> nodes(size);
    *header = build(nodes, 0, size, address(header));
    for (std::size_t i = 0; i < size; ++i) {
      const auto after = next(address(&nodes[i]), kLlvmLinks);
      ASSERT_TRUE(after) << i << " of " << size;
      EXPECT_EQ(*after, i + 1 < size ? address(&nodes[i + 1]) : address(header));
    }
  }
  munmap(pages, kPage);
}

TEST_F(TreeWalk, ChecksEachLinkFromBothEnds) {
  std::vector<Node> nodes(7);
  std::uint64_t header = 0;
  header = build(nodes, 0, 7, address(&header));
  nodes[4].parent = address(&nodes[0]);  // the leftmost on the right of the root
  EXPECT_FALSE(next(address(&nodes[3]), kLlvmLinks));
  nodes[1].right = 0;  // no longer knows the one that says it is below it
  EXPECT_FALSE(next(address(&nodes[2]), kLlvmLinks));
}

TEST_F(TreeWalk, EndsInACircleAndInWhatIsTooDeep) {
  std::vector<Node> nodes(200);
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
    nodes[i + 1].left = address(&nodes[i]);
    nodes[i].parent = address(&nodes[i + 1]);
  }
  Node top;
  top.right = address(&nodes.back());
  nodes.back().parent = address(&top);
  EXPECT_FALSE(next(address(&top), kLlvmLinks)) << "too deep";
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
    nodes[i + 1].left = 0;
    nodes[i + 1].right = address(&nodes[i]);
  }
  EXPECT_FALSE(next(address(&nodes[0]), kLlvmLinks)) << "too far up";
  Node circle[2];
  circle[0].right = address(&circle[1]);
  circle[1].parent = address(&circle[0]);
  circle[1].left = address(&circle[0]);
  circle[0].parent = address(&circle[1]);
  circle[0].left = address(&circle[1]);
  EXPECT_FALSE(next(address(&circle[0]), kLlvmLinks));
}

TEST_F(TreeWalk, TakesOnlyLinksAndASizeThatMakeSense) {
  const std::set<long> tree{1, 2, 3};
  const std::uint64_t node = node_of(*tree.begin());
  EXPECT_TRUE(next(node, kGnuLinks));
  EXPECT_FALSE(next(node, program::tree_links(8, 8, 16)));
  EXPECT_FALSE(next(node, kGnuLinks | 64));
  EXPECT_FALSE(next(node, ~0ULL));
  std::uint64_t to[3] = {~0ULL, ~0ULL, ~0ULL};
  const auto call = run_.function<TreeNext>(RuntimeEntry::kTreeNext);
  EXPECT_LT(call(&hit_, to, 16, node, kGnuLinks), 0);
  EXPECT_EQ(to[0] | to[1], 0U);
  EXPECT_LT(call(&hit_, to + 2, 4, node, kGnuLinks), 0);
  EXPECT_EQ(to[2], ~0ULL << 32);
}

// Its nodes come and go and are turned around while they are walked: each step ends, with
// an address or an error.
TEST_F(TreeWalk, EndsInATreeThatAnotherThreadChanges) {
  std::set<long> tree;
  std::atomic<bool> stop = false;
  std::jthread changing([&] {
    std::mt19937_64 random(5);
    while (!stop) {
      const auto item = static_cast<long>(random() % 512);
      if (!tree.erase(item)) tree.insert(item);
    }
  });
  const auto read = run_.function<Read>(RuntimeEntry::kReadUser);
  const std::uint64_t header = address(&tree) + 8;
  std::uint64_t node = 0;
  int walked = 0;
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto after = next(node, kGnuLinks);
    const bool over = !after || *after == header;
    ++(after ? walked : refused);
    read(&hit_, &node, 8, header + 16);  // the leftmost
    if (!over) node = *after;
  }
  stop = true;
  EXPECT_GT(walked, 0);
  EXPECT_EQ(walked + refused, 20'000);
}

TEST_F(TreeWalk, RandomLinksAndAddressesNeverFaultNorGoOnForLong) {
  std::mt19937_64 random(11);
  std::vector<Node> nodes(64);
  const auto any = [&]() -> std::uint64_t {
    if (random() % 4 == 0) return 0;
    if (random() % 16 == 0) return random() >> (random() % 64);
    return address(&nodes[random() % nodes.size()]);
  };
  for (int i = 0; i < 20'000; ++i) {
    Node& node = nodes[random() % nodes.size()];
    node = {any(), any(), any(), 0};
    next(address(&nodes[random() % nodes.size()]), random() % 2 == 0 ? kLlvmLinks : kGnuLinks);
    next(any(), random() % 64);
  }
}

}  // namespace
}  // namespace nohalt
