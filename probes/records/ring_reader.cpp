#include "probes/records/ring_reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

namespace nohalt::records {

namespace {

using runtime::RecordHeader;
using runtime::SlotState;

std::atomic_ref<std::uint64_t> first_word(std::byte* slot) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(slot));
}

// Word by word, so that neither compiler nor library reads the slot twice.
void copy_once(std::byte* to, const std::byte* from, std::size_t size) {
  const auto* source = reinterpret_cast<const volatile std::uint64_t*>(from);
  for (std::size_t i = 0; i < size / sizeof(std::uint64_t); ++i) {
    const std::uint64_t word = source[i];
    std::memcpy(to + i * sizeof word, &word, sizeof word);
  }
}

// What it held must not wait in the target's memory for the next record.
void wipe_body(std::byte* slot, const SiteLayout& site) {
  std::memset(slot + sizeof(RecordHeader), 0, site.slot_size - sizeof(RecordHeader));
}

std::optional<RingRecord> read_record(const std::vector<std::byte>& copy, const SiteLayout& site,
                                      std::uint64_t generation, std::uint32_t tid) {
  std::uint64_t words[sizeof(RecordHeader) / sizeof(std::uint64_t)];
  std::memcpy(words, copy.data(), sizeof words);
  const auto& header = reinterpret_cast<const RecordHeader&>(words);
  if (header.site != site.site || header.body_size != site.body_size ||
      header.generation != generation)
    return std::nullopt;
  const std::byte* body = copy.data() + sizeof(RecordHeader);
  return RingRecord{.site = site.site,
                    .tid = tid,
                    .seq = header.seq,
                    .tsc = header.tsc,
                    .suppressed = header.suppressed,
                    .dropped = header.dropped,
                    .body = {body, body + site.body_size}};
}

}  // namespace

RingReader::RingReader(const ControlRegion& region) : region_(region) {
  std::size_t largest = 0;
  for (const SiteLayout& site : region.layout().sites) {
    largest = std::max<std::size_t>(largest, site.slot_size);
    busy_before_.emplace_back(site.slot_count, 0);
  }
  copy_.resize(largest);
}

void RingReader::poll(const ThreadAlive& alive, const RecordSink& sink) {
  stats_.busy = 0;
  for (std::size_t site = 0; site < busy_before_.size(); ++site) poll_site(site, alive, sink);
}

void RingReader::poll_site(std::size_t site, const ThreadAlive& alive, const RecordSink& sink) {
  const SiteLayout& layout = region_.layout().sites[site];
  std::vector<RingRecord> ready;
  for (std::size_t i = 0; i < layout.slot_count; ++i) {
    std::byte* slot = region_.slot(site, i);
    const std::uint64_t word = first_word(slot).load(std::memory_order_acquire);
    if (word == 0) continue;
    const auto state = static_cast<SlotState>(static_cast<std::uint32_t>(word));
    if (state == SlotState::kBusy) {
      consider_busy(site, i, word, alive);
      continue;
    }
    std::optional<RingRecord> record;
    if (state == SlotState::kReady) {
      copy_once(copy_.data(), slot, layout.slot_size);
      record = read_record(copy_, layout, region_.layout().generation,
                           static_cast<std::uint32_t>(word >> 32));
    }
    wipe_body(slot, layout);
    first_word(slot).store(0, std::memory_order_release);
    busy_before_[site][i] = 0;
    record ? ++stats_.records : ++stats_.malformed;
    if (record) ready.push_back(*std::move(record));
  }
  std::ranges::stable_sort(ready, {}, &RingRecord::seq);
  for (RingRecord& record : ready) sink(std::move(record));
}

void RingReader::consider_busy(std::size_t site, std::size_t index, std::uint64_t word,
                               const ThreadAlive& alive) {
  ++stats_.busy;
  std::uint64_t& before = busy_before_[site][index];
  const auto owner = static_cast<std::uint32_t>(word >> 32);
  if (std::exchange(before, word) != word || owner == 0 || alive(owner)) return;
  wipe_body(region_.slot(site, index), region_.layout().sites[site]);
  if (first_word(region_.slot(site, index)).compare_exchange_strong(word, 0)) ++stats_.reclaimed;
  before = 0;
}

}  // namespace nohalt::records
