// Code that copies objects into the record, and what their pointers lead to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/capture/generator.h"
#include "probes/capture/shape.h"

namespace nohalt::capture {

// Hands out the record's body.
class RecordSpace {
 public:
  explicit RecordSpace(std::uint32_t limit) : limit_(limit) {}
  [[nodiscard]] std::optional<std::uint32_t> take(std::uint64_t size) {
    if (size > limit_ - used_) return std::nullopt;
    used_ += static_cast<std::uint32_t>(size);
    return used_ - static_cast<std::uint32_t>(size);
  }
  [[nodiscard]] std::uint32_t used() const { return used_; }

 private:
  std::uint32_t limit_;
  std::uint32_t used_ = 0;
};

class Writer {
 public:
  // Values of up to this size go by way of the program's stack.
  static constexpr std::uint64_t kWindow = 128;
  static constexpr std::uint64_t kInnerWindow = 64;

  Writer(Code& code, Generator& generator, RecordSpace& space, const CaptureRequest& request);

  // While it lives, what is followed may take no more than one part in `waiting`
  // of what is left, so that the first of several trees does not take it all.
  class Share {
   public:
    Share(Writer& writer, std::size_t waiting);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    Writer& writer_;
    std::size_t most_leads_;
    std::size_t most_code_;
  };

  // Room for the text of a value that is a text itself, before what other values
  // lead to may take it.
  void make_room(Node& node, const Shape& shape);
  // Says of each lead that it was not followed.
  void leave_out(Node& node, const Shape& shape);
  // `size` bytes of the value are at `from` on the stack: copies those in no
  // hole and follows the leads. The node has its data already.
  void from_stack(Node& node, Dest from, const Shape& shape, std::uint32_t depth);
  void copy_from_stack(const Node& node, Dest from);
  void follow_from_stack(Node& node, Dest from, const Shape& shape, std::uint32_t depth);
  // The value begins at the address in the slot `base`: copies it piecewise,
  // then follows. Misses go to `miss`; what follows has its own.
  void from_memory(Node& node, Dest base, Helper helper, const Shape& shape, std::uint32_t depth,
                   const Miss& miss, const Why& unreadable);

  [[nodiscard]] Miss miss_into(std::vector<Node*> nodes, Code::Label label);
  void write_status(const Node& node, std::uint8_t status);
  // The shape of a value of that type, of which `bytes` are captured.
  [[nodiscard]] Shape shape(const Type* type, const std::string& path, std::uint64_t bytes,
                            std::uint32_t depth) const;

 private:
  [[nodiscard]] std::unique_ptr<Node> new_lead_node(const Lead& lead, const std::string& name);
  [[nodiscard]] Node* target_of(Node& node, const Lead& lead);
  void leave_out(Node& node, const Lead& lead);
  void follow(Node& node, const Lead& lead, Dest pointer, Dest length, std::uint32_t depth);
  void follow_text(Node& node, const Lead& lead, Dest pointer, Dest length, Code::Label done);
  void follow_record(Node& node, const Lead& lead, Dest pointer, std::uint32_t depth,
                     Code::Label done);
  void follow_clusters(Node& node, Dest base, Helper helper, const Shape& shape,
                       std::uint32_t depth);
  [[nodiscard]] bool may_go_on() const;
  [[nodiscard]] std::size_t code_spoken_for() const;

  Code& code_;
  Generator& generator_;
  RecordSpace& space_;
  const CaptureRequest& request_;
  std::size_t leads_followed_ = 0;
  std::size_t texts_waiting_ = 0;  // have room, but no code yet
  std::size_t most_leads_;         // up to here for now; see Share
  std::size_t most_code_;
};

}  // namespace nohalt::capture
