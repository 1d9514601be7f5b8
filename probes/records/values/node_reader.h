// One captured node into a value.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "probes/capture/layout.h"
#include "probes/records/values/value.h"

namespace nohalt::values {

using capture::Node;
using capture::Why;

class NodeReader {
 public:
  NodeReader(std::span<const std::byte> body, std::uint32_t max_items)
      : body_(body), max_items_(max_items) {}

  [[nodiscard]] Value read(const Node& node);
  // A scalar's raw bytes, for computing with; at most 16. Empty: see `why`.
  [[nodiscard]] std::span<const std::byte> scalar_bytes(const Node& node, Why& why) const;
  // Of a kText node.
  [[nodiscard]] Value read_text(const Node& node) const;

 private:
  [[nodiscard]] std::optional<Why> missing(const Node& node) const;
  [[nodiscard]] std::span<const std::byte> bytes(std::uint32_t offset, std::uint64_t size) const;
  [[nodiscard]] Value read_at(const Node& node, const symbols::Type* type, std::uint64_t at,
                              int nesting);
  [[nodiscard]] Value read_scalar(const Node& node, const symbols::Type* type, std::uint64_t at,
                                  std::uint32_t bit_offset, std::uint32_t bit_size);
  [[nodiscard]] Value read_pointer(const Node& node, const symbols::Type* type, std::uint64_t at,
                                   int nesting);
  [[nodiscard]] Value read_record(const Node& node, const symbols::Type* type, std::uint64_t at,
                                  int nesting);
  [[nodiscard]] Value read_alternative(const Node& node, const symbols::Type* type,
                                       std::uint64_t at, int nesting);
  [[nodiscard]] Value read_array(const Node& node, const symbols::Type* type, std::uint64_t at,
                                 int nesting);
  // Where these bytes of the node were not copied.
  [[nodiscard]] std::optional<Why> lost(const Node& node, std::uint64_t at,
                                        std::uint64_t size) const;
  [[nodiscard]] std::optional<Why> wholly_lost(const Node& node, std::uint64_t at,
                                               std::uint64_t size) const;
  [[nodiscard]] const Node* follow(const Node& node, std::uint64_t at) const;
  [[nodiscard]] std::span<const std::byte> node_bytes(const Node& node) const;

  std::span<const std::byte> body_;
  std::uint32_t max_items_;
  std::uint32_t made_ = 0;  // values so far, so that no type makes a tree without end
};

[[nodiscard]] Value absent(const symbols::Type* type, const Why& why);
// Of 16 bytes.
[[nodiscard]] Value wide_integer(const symbols::Type* type, std::span<const std::byte> bytes);
// Little-endian, at most 8 bytes.
[[nodiscard]] std::uint64_t little_endian(std::span<const std::byte> bytes);
[[nodiscard]] long double float_from(std::span<const std::byte> bytes);
// The enumerators that make up the value: "A", "A|B", "A|0x8"; empty: none.
[[nodiscard]] std::string enum_name(const symbols::Type* type, std::uint64_t bits);

}  // namespace nohalt::values
