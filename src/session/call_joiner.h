// Puts the two records of a call together, the entry's and the return's, which lie in
// different rings and come in any order.
//
// They belong together where probe, number, thread and frame are the same: the number
// alone is from memory that the target can write. What stays alone is told as such.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "src/output/record.h"

namespace nohalt::session {

// One record of a call.
struct CallRecord {
  std::uint32_t probe = 0;
  std::uint64_t seq = 0;
  std::uint32_t tid = 0;
  std::uint64_t frame = 0;
  std::uint64_t ticks = 0;
  output::Hit hit;  // of an entry the call with its arguments; of a return its value
};

class CallJoiner {
 public:
  using Sink = std::function<void(std::uint32_t probe, output::Hit)>;
  using Nanoseconds = std::function<double(std::uint64_t ticks)>;

  // `sink` gets each call once, when it is over or known not to be seen again.
  CallJoiner(Sink sink, Nanoseconds nanoseconds)
      : sink_(std::move(sink)), nanoseconds_(std::move(nanoseconds)) {}

  void begin(CallRecord entry);
  // A call of which no return can be seen, and why.
  void begin_without_end(CallRecord entry, const std::string& why);
  void end(CallRecord exit);
  // After all rings were read once.
  void settle();
  // No more records come.
  void finish();

  // Calls whose return is waited for.
  [[nodiscard]] std::size_t waiting() const { return open_.size(); }
  // Records of returns without that of their entry, which was lost.
  [[nodiscard]] std::uint64_t lone_ends() const { return lone_ends_; }

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;  // probe and number
  struct Open {
    CallRecord record;
    int rounds_left = -1;  // until it is given up; -1: it may still return
  };
  struct Ended {
    CallRecord record;
    int rounds_left = 0;
  };
  void emit(CallRecord entry, const CallRecord& exit);
  void emit_alone(CallRecord entry, const std::string& why);
  void supersede(const CallRecord& by);

  Sink sink_;
  Nanoseconds nanoseconds_;
  std::map<Key, Open> open_;
  std::map<Key, Ended> ended_;
  // The newest call of a probe in a thread at a frame.
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>, Key> at_frame_;
  std::uint64_t lone_ends_ = 0;
};

}  // namespace nohalt::session
