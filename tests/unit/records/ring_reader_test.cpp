// The reader against a ring that may hold anything.
#include "probes/records/ring_reader.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace nohalt::records {
namespace {

using runtime::RecordHeader;
using runtime::SlotState;

constexpr std::uint64_t kGeneration = 99;
constexpr std::uint32_t kTid = 4711;
constexpr std::uint32_t kBody = 40;

class Ring : public ::testing::Test {
 protected:
  Ring() {
    const std::vector<SiteNeeds> needs = {{.body_size = kBody}, {.body_size = 5000}};
    const RunLayout layout = *plan_layout(kGeneration, needs);
    fd_ = *create_control_memfd(layout);
    region_ = std::make_unique<ControlRegion>(*ControlRegion::map(fd_.get(), layout));
    reader_ = std::make_unique<RingReader>(*region_);
  }

  RecordHeader& header(std::size_t slot) {
    return *reinterpret_cast<RecordHeader*>(region_->slot(0, slot));
  }
  void put(std::size_t slot, std::uint64_t seq, SlotState state = SlotState::kReady) {
    RecordHeader& record = header(slot);
    record.owner_tid = kTid;
    record.site = 0;
    record.body_size = kBody;
    record.generation = kGeneration;
    record.seq = seq;
    std::memset(region_->slot(0, slot) + sizeof(RecordHeader), static_cast<int>(seq), kBody);
    record.state = static_cast<std::uint32_t>(state);
  }
  std::vector<RingRecord> poll(bool owners_live = true) {
    std::vector<RingRecord> records;
    reader_->poll([&](std::uint32_t) { return owners_live; },
                  [&](RingRecord record) { records.push_back(std::move(record)); });
    return records;
  }

  UniqueFd fd_;
  std::unique_ptr<ControlRegion> region_;
  std::unique_ptr<RingReader> reader_;
};

TEST_F(Ring, HandsOutReadyRecordsInOrderAndFreesTheirSlots) {
  put(0, 9);
  put(3, 7);
  put(5, 8);
  const auto records = poll();
  ASSERT_EQ(records.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(records[i].seq, 7 + i);
    EXPECT_EQ(records[i].tid, kTid);
    EXPECT_EQ(records[i].body, std::vector<std::byte>(kBody, std::byte(7 + i)));
  }
  EXPECT_TRUE(poll().empty());
  EXPECT_EQ(header(3).state, 0u);
  EXPECT_EQ(header(3).owner_tid, 0u);
}

TEST_F(Ring, WhatARecordHeldIsNoLongerThereOnceItIsRead) {
  put(2, 7);
  ASSERT_EQ(poll().size(), 1u);
  const std::byte* body = region_->slot(0, 2) + sizeof(RecordHeader);
  EXPECT_EQ(std::vector<std::byte>(body, body + kBody), std::vector<std::byte>(kBody));
}

TEST_F(Ring, UnfinishedRecordIsSkippedWhileItsOwnerLives) {
  put(0, 1, SlotState::kBusy);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(poll(true).empty());
  EXPECT_EQ(header(0).state, static_cast<std::uint32_t>(SlotState::kBusy));
  EXPECT_EQ(reader_->stats().busy, 1u);
}

TEST_F(Ring, UnfinishedRecordOfADeadThreadIsFreed) {
  put(0, 1, SlotState::kBusy);
  poll(false);
  EXPECT_TRUE(poll(false).empty());
  EXPECT_EQ(header(0).state, 0u);
  EXPECT_EQ(reader_->stats().reclaimed, 1u);
}

TEST_F(Ring, WhatADeadThreadLeftUnfinishedIsNoLongerThereOnceItsSlotIsFree) {
  put(0, 1, SlotState::kBusy);
  poll(false);
  poll(false);
  ASSERT_EQ(reader_->stats().reclaimed, 1u);
  const std::byte* body = region_->slot(0, 0) + sizeof(RecordHeader);
  EXPECT_EQ(std::vector<std::byte>(body, body + kBody), std::vector<std::byte>(kBody));
}

TEST_F(Ring, UnfinishedRecordOfAnUnknownThreadIsNeverFreed) {
  put(0, 1, SlotState::kBusy);
  header(0).owner_tid = 0;
  for (int i = 0; i < 5; ++i) poll(false);
  EXPECT_EQ(header(0).state, static_cast<std::uint32_t>(SlotState::kBusy));
}

TEST_F(Ring, RecordOfAnotherSizeSiteOrGenerationIsThrownAway) {
  put(0, 1);
  header(0).body_size = kBody + 1;
  put(1, 2);
  header(1).site = 1;
  put(2, 3);
  header(2).generation = kGeneration + 1;
  put(3, 4);
  header(3).state = 77;
  EXPECT_TRUE(poll().empty());
  EXPECT_EQ(reader_->stats().malformed, 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(header(i).state, 0u) << "the slot is usable again";
}

TEST_F(Ring, GarbageNeverGetsThroughOrCrashes) {
  std::mt19937_64 random(3);
  const std::uint64_t size = region_->layout().region_size;
  auto* base = reinterpret_cast<std::byte*>(&region_->control());
  for (int round = 0; round < 300; ++round) {
    for (std::uint64_t at = 0; at < size; at += 8) {
      const std::uint64_t word = random() >> (random() % 64);
      std::memcpy(base + at, &word, sizeof word);
    }
    for (const RingRecord& record : poll(random() % 2 == 0))
      ASSERT_EQ(record.body.size(), region_->layout().sites[record.site].body_size);
  }
}

TEST_F(Ring, RecordsThatChangeWhileTheyAreReadHaveTheRightSize) {
  std::atomic<bool> stop = false;
  std::jthread scribbler([&] {
    std::mt19937_64 random(5);
    while (!stop) {
      const std::size_t slot = random() % region_->layout().sites[0].slot_count;
      put(slot, random());
      if (random() % 4 == 0) header(slot).body_size = static_cast<std::uint32_t>(random());
      if (random() % 4 == 0) header(slot).site = static_cast<std::uint32_t>(random());
    }
  });
  std::size_t seen = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int i = 0; seen < 5000 && std::chrono::steady_clock::now() < end; ++i) {
    for (const RingRecord& record : poll(i % 2 == 0)) {
      ASSERT_EQ(record.site, 0u);
      ASSERT_EQ(record.body.size(), kBody);
      ++seen;
    }
  }
  stop = true;
  EXPECT_GE(seen, 5000u);
}

TEST_F(Ring, RegionThatCouldShrinkIsRefused) {
  const UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(region_->layout().region_size)), 0);
  const auto mapped = ControlRegion::map(fd.get(), region_->layout());
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().reason, "control-size");
}

TEST_F(Ring, RegionCannotBeResizedByTheTarget) {
  EXPECT_NE(ftruncate(fd_.get(), 0), 0);
  EXPECT_NE(ftruncate(fd_.get(), static_cast<off_t>(2 * region_->layout().region_size)), 0);
}

}  // namespace
}  // namespace nohalt::records
