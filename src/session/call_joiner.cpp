// A call that was left without a return that is probed is known to be over when its
// frame's place is another call's. Its own return's record was then made before that
// call's entry, but may be read after it: so it is waited for, for two rounds.
#include "src/session/call_joiner.h"

#include <algorithm>
#include <cmath>

namespace nohalt::session {

namespace {

constexpr int kRounds = 2;
constexpr std::size_t kMostOpen = 20'000;

constexpr char kLeft[] =
    "its return was not seen: it ended another way, or the record of it was lost";
constexpr char kNotYet[] = "its return was not seen before the trace ended";
constexpr char kTooMany[] = "more calls are under way than are followed";

bool belong_together(const CallRecord& entry, const CallRecord& exit) {
  return entry.tid == exit.tid && entry.frame == exit.frame && exit.ticks >= entry.ticks;
}

}  // namespace

void CallJoiner::emit(CallRecord entry, const CallRecord& exit) {
  const std::uint32_t probe = entry.probe;
  output::Hit call = std::move(entry.hit);
  call.call = exit.hit.call.value_or(output::CallEnd{true, {}, 0});
  call.call->elapsed_ns = std::llround(nanoseconds_(exit.ticks - entry.ticks));
  if (!exit.hit.message.empty()) call.message += " = " + exit.hit.message;
  for (output::Value value : exit.hit.values) {
    value.name = "return";
    value.role = "return";
    call.values.push_back(std::move(value));
  }
  sink_(probe, std::move(call));
}

void CallJoiner::emit_alone(CallRecord entry, const std::string& why) {
  const std::uint32_t probe = entry.probe;
  output::Hit call = std::move(entry.hit);
  call.call = output::CallEnd{false, why, 0};
  sink_(probe, std::move(call));
}

void CallJoiner::supersede(const CallRecord& by) {
  const auto [at, is_new] =
      at_frame_.try_emplace({by.probe, by.tid, by.frame}, Key{by.probe, by.seq});
  if (is_new) return;
  const Key older = std::min(at->second, Key{by.probe, by.seq});
  at->second = std::max(at->second, Key{by.probe, by.seq});
  if (const auto found = open_.find(older); found != open_.end() && found->second.rounds_left < 0)
    found->second.rounds_left = kRounds;
}

void CallJoiner::begin(CallRecord entry) {
  const Key key{entry.probe, entry.seq};
  if (const auto ended = ended_.find(key); ended != ended_.end()) {
    const CallRecord exit = std::move(ended->second.record);
    ended_.erase(ended);
    if (belong_together(entry, exit)) return emit(std::move(entry), exit);
    ++lone_ends_;
  }
  if (open_.size() >= kMostOpen) {
    emit_alone(std::move(open_.begin()->second.record), kTooMany);
    open_.erase(open_.begin());
  }
  if (at_frame_.size() >= 2 * kMostOpen) at_frame_.clear();
  open_[key] = {entry, -1};
  supersede(entry);
}

void CallJoiner::begin_without_end(CallRecord entry, const std::string& why) {
  emit_alone(std::move(entry), why);
}

void CallJoiner::end(CallRecord exit) {
  const Key key{exit.probe, exit.seq};
  const auto open = open_.find(key);
  if (open == open_.end()) {
    if (ended_.size() < kMostOpen) ended_[key] = {std::move(exit), kRounds};
    return;
  }
  if (!belong_together(open->second.record, exit)) {
    ++lone_ends_;
    return;
  }
  CallRecord entry = std::move(open->second.record);
  open_.erase(open);
  emit(std::move(entry), exit);
}

void CallJoiner::settle() {
  for (auto open = open_.begin(); open != open_.end();) {
    if (open->second.rounds_left < 0 || --open->second.rounds_left > 0) {
      ++open;
      continue;
    }
    emit_alone(std::move(open->second.record), kLeft);
    open = open_.erase(open);
  }
  for (auto& [key, ended] : ended_) --ended.rounds_left;
  lone_ends_ +=
      std::erase_if(ended_, [](const auto& ended) { return ended.second.rounds_left < 0; });
}

void CallJoiner::finish() {
  for (auto& [key, open] : open_)
    emit_alone(std::move(open.record), open.rounds_left < 0 ? kNotYet : kLeft);
  open_.clear();
  lone_ends_ += ended_.size();
  ended_.clear();
}

}  // namespace nohalt::session
