// One made-up target for both executors: a context, some mapped stack, and
// helpers whose results follow from a seed and the order of the calls alone.
// Whoever runs a program against two models of one seed sees the same world.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "probes/program/interpreter.h"
#include "probes/runtime/layout.h"

namespace nohalt::program_test {

// A call as the runtime saw it. Destinations are compared within their region;
// on the program's stack from the first such destination, as only the program
// knows where its frame begins.
struct HelperCall {
  program::Helper helper;
  char region = '-';  // 's'tack, 'r'ecord
  std::int64_t to = 0;
  std::uint64_t size = 0;
  std::uint64_t from = 0;
  std::uint64_t length = 0;

  friend bool operator==(const HelperCall&, const HelperCall&) = default;
};
std::string to_text(const std::vector<HelperCall>& calls);

// Three pages that stand for the target's stack, rsp being in the middle one,
// and a page that stands for its static data. Mapped for the whole process.
struct TargetMemory {
  static constexpr std::size_t kStackBytes = 3 * 4096;
  static constexpr std::size_t kStaticBytes = 4096;
  std::byte* stack = nullptr;
  std::byte* data = nullptr;

  static const TargetMemory& get();
  [[nodiscard]] bool on_stack(std::uint64_t from, std::uint64_t size) const;
  [[nodiscard]] bool in_data(std::uint64_t from, std::uint64_t size) const;
};

class Model {
 public:
  Model(std::uint64_t seed, std::uint32_t record_size);

  [[nodiscard]] runtime::HitContext& context() { return context_; }
  bool take_token();
  bool take_call_token(program::Helper helper, std::uint64_t frame);
  std::uint64_t thread_pointer();
  std::span<std::byte> reserve();
  void release(bool commits);
  // `to_offset` is the destination's place in its region.
  std::int64_t read(program::Helper helper, char region, std::int64_t to_offset,
                    std::span<std::byte> to, std::uint64_t from, std::uint64_t length);

  // Logs reads of known memory too, which an executor may make without a call.
  void log_every_read() { logs_every_read_ = true; }
  [[nodiscard]] std::span<std::byte> record() { return record_; }
  [[nodiscard]] const std::vector<HelperCall>& calls() const { return calls_; }
  // The record as it was when it was committed; empty where it was not.
  [[nodiscard]] const std::vector<std::byte>& committed() const { return committed_; }

 private:
  std::mt19937_64 random_;
  runtime::HitContext context_{};
  std::vector<std::byte> record_;
  std::vector<std::byte> committed_;
  std::vector<HelperCall> calls_;
  std::int64_t first_on_stack_ = 0;
  bool seen_on_stack_ = false;
  bool logs_every_read_ = false;
};

// The interpreter's way into a model.
class ModelEnvironment : public program::Environment {
 public:
  explicit ModelEnvironment(Model& model) : model_(model) {}
  std::span<const std::byte> context() override {
    return std::as_bytes(std::span(&model_.context(), 1));
  }
  bool take_token() override { return model_.take_token(); }
  bool take_call_token(program::Helper helper, std::uint64_t frame) override {
    return model_.take_call_token(helper, frame);
  }
  std::span<std::byte> reserve(std::uint32_t /*record_size*/) override { return model_.reserve(); }
  void commit() override { model_.release(true); }
  void abandon() override { model_.release(false); }
  std::uint64_t thread_pointer() override { return model_.thread_pointer(); }
  std::int64_t read(program::Helper helper, std::span<std::byte> to, std::uint64_t from,
                    std::uint64_t length) override;

 private:
  Model& model_;
};

}  // namespace nohalt::program_test
