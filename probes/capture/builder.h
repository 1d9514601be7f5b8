// One capture program in the making. Internal to build*.cpp.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/capture/generator.h"
#include "probes/capture/shape.h"
#include "probes/capture/spot.h"
#include "probes/capture/writer.h"

namespace nohalt::capture {

using language::BoundPtr;

// An expression node that the program captures.
struct Leaf {
  const Expr* expr = nullptr;
  const language::Source* source = nullptr;
  std::size_t node = 0;
  Spot spot;  // of a kLoad
  std::string path;
  Shape shape;
  std::uint32_t depth = 1;
  std::string key;  // equal: may share a read
  bool done = false;
  bool is_object = false;  // that a pointer leads to, and that tells what it really is
};

class Builder {
 public:
  explicit Builder(const CaptureRequest& request);

  Result<BuiltCapture> run();

 private:
  Status condition();
  void collect(const Expr& expr, const language::Source& source, bool shown);
  Status place(Leaf& leaf);
  Status place_load(Leaf& leaf, Node& node);
  Status place_stack();
  void emit_stack();
  Status place_frame();
  void compute_frame(Register to);
  void take_token();
  void keep_frame();
  Status emit(Leaf& leaf);
  Status emit_value(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_object(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_parts(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_memory(Leaf& leaf, Node& node, const Miss& miss);
  Status emit_shared(std::vector<Leaf*> leaves);
  Status share_reads();
  [[nodiscard]] bool in_memory(const Leaf& leaf) const {
    return leaf.spot.pointer != nullptr ||
           (leaf.spot.variable != nullptr &&
            std::holds_alternative<symbols::InMemory>(leaf.spot.variable->location));
  }
  // How many values that lead somewhere are still to be captured.
  [[nodiscard]] std::size_t waiting() const {
    return static_cast<std::size_t>(std::ranges::count_if(leaves_, [](const Leaf& leaf) {
      return !leaf.done && (leaf.is_object || !leaf.shape.leads.empty());
    }));
  }
  Node& node_of(const Leaf& leaf) { return built_.layout.nodes[leaf.node]; }

  const CaptureRequest& request_;
  Code code_;
  Generator generator_;
  RecordSpace space_;
  Writer writer_;
  BuiltCapture built_;
  std::vector<Leaf> leaves_;
};

}  // namespace nohalt::capture
