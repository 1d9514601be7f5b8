// One captured node into a value: node_reader.cpp reads what a language has,
// items_reader.cpp containers, library_reader.cpp other types of the standard
// library, text_reader.cpp texts.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "probes/capture/layout.h"
#include "probes/records/values/value.h"

namespace nohalt::values {

using capture::Node;
using capture::Why;

// So that no type makes a tree without end.
inline constexpr int kMaxNesting = 32;
inline constexpr std::uint32_t kMaxValues = 20'000;

// Told which captured bytes values are made of: of the node those `size` from `at` on,
// and the value that they are by themselves; of a list after its items. Of a container's
// node none: it was walked.
using Look =
    std::function<void(const Node& node, std::uint64_t at, std::uint64_t size, const Value& value)>;

class NodeReader {
 public:
  NodeReader(std::span<const std::byte> body, std::uint32_t max_items, const Look* look = nullptr)
      : body_(body), max_items_(max_items), look_(look) {}

  [[nodiscard]] Value read(const Node& node);
  // A scalar's raw bytes, for computing with; at most 16. Empty: see `why`.
  [[nodiscard]] std::span<const std::byte> scalar_bytes(const Node& node, Why& why) const;
  // All of a value's bytes, where none is missing.
  [[nodiscard]] std::optional<std::span<const std::byte>> whole_bytes(const Node& node) const;
  // Of a kText node.
  [[nodiscard]] Value read_text(const Node& node) const;

 private:
  void look(const Node& node, std::uint64_t at, std::uint64_t size, const Value& value) const {
    if (look_ != nullptr && value.is_there()) (*look_)(node, at, size, value);
  }
  [[nodiscard]] std::optional<Why> missing(const Node& node) const;
  [[nodiscard]] std::span<const std::byte> bytes(std::uint32_t offset, std::uint64_t size) const;
  [[nodiscard]] Value read_at(const Node& node, const symbols::Type* type, std::uint64_t at,
                              int nesting);
  [[nodiscard]] Value read_scalar(const Node& node, const symbols::Type* type, std::uint64_t at,
                                  std::uint32_t bit_offset, std::uint32_t bit_size) const;
  [[nodiscard]] Value read_pointer(const Node& node, const symbols::Type* type, std::uint64_t at,
                                   int nesting);
  [[nodiscard]] Value read_record(const Node& node, const symbols::Type* type, std::uint64_t at,
                                  int nesting);
  [[nodiscard]] Value read_alternative(const Node& node, const symbols::Type* type,
                                       std::uint64_t at, int nesting);
  [[nodiscard]] Value read_array(const Node& node, const symbols::Type* type, std::uint64_t at,
                                 int nesting);
  [[nodiscard]] Value read_char_array(const Node& node, const symbols::Type* type, std::uint64_t at,
                                      std::uint32_t unit) const;
  [[nodiscard]] Value read_items(const Node& node, int nesting);
  void read_slots(Value& value, const Node& node, int nesting);
  void read_bits(Value& value, const Node& node) const;
  void read_variant(Value& value, const Node& node, int nesting);
  void read_owner(Value& value, const Node& node, int nesting);
  [[nodiscard]] Value read_object(const Node& node, int nesting);
  void judge_end(Value& value, const Node& node) const;
  // Types that are a container's kind of thing but lie in the bytes around them. None:
  // it is none of these.
  [[nodiscard]] std::optional<Value> read_library(const Node& node, const symbols::Type* type,
                                                  std::uint64_t at, int nesting);
  [[nodiscard]] std::optional<Value> read_tuple(const Node& node, const symbols::Type* type,
                                                std::uint64_t at, int nesting);
  [[nodiscard]] std::optional<Value> read_duration(const Node& node, const symbols::Type* type,
                                                   std::uint64_t at, int nesting);
  [[nodiscard]] std::optional<Value> read_function(const Node& node, const symbols::Type* type,
                                                   std::uint64_t at, int nesting);
  // A node of any kind that another leads to.
  [[nodiscard]] Value read_inner(const Node& node, int nesting);
  [[nodiscard]] std::optional<std::uint64_t> number_at(std::uint32_t offset,
                                                       std::uint64_t size) const;
  // Where these bytes of the node were not copied.
  [[nodiscard]] std::optional<Why> lost(const Node& node, std::uint64_t at,
                                        std::uint64_t size) const;
  [[nodiscard]] std::optional<Why> wholly_lost(const Node& node, std::uint64_t at,
                                               std::uint64_t size) const;
  // What the pointer at that byte leads to; the text or the container of that type that
  // begins there. Variants of an enum may have the same in one place: the one that was
  // there was followed, the others say that they were not.
  [[nodiscard]] const Node* follow(const Node& node, std::uint64_t at,
                                   const symbols::Type* to) const;
  [[nodiscard]] const Node* inside(const Node& node, const symbols::Type* type,
                                   std::uint64_t at) const;
  [[nodiscard]] std::span<const std::byte> node_bytes(const Node& node) const;

  std::span<const std::byte> body_;
  std::uint32_t max_items_;
  const Look* look_;
  std::uint32_t made_ = 0;  // values so far
};

// A value of the type that is there and exact, for its content to be put in.
[[nodiscard]] Value shell(const symbols::Type* type, Value::Kind kind);
[[nodiscard]] Value absent(const symbols::Type* type, const Why& why);
// Of Rust's cells, and of what else has a value and nothing beside it: that. Null: it is none.
[[nodiscard]] const symbols::Member* only_content(const symbols::Type& type);
// Of 16 bytes.
[[nodiscard]] Value wide_integer(const symbols::Type* type, std::span<const std::byte> bytes);
[[nodiscard]] Why damaged();
void truncate(Value& value, std::string why);
[[nodiscard]] std::string as_text(std::span<const std::byte> bytes);
// The size of the characters that the type is made of: its own, its items', or those of
// a string; 1 where it is not known to be another.
[[nodiscard]] std::uint32_t character_size(const symbols::Type* type);
// Typedefs stripped.
[[nodiscard]] bool is_character(const symbols::Type* real);
// Puts the characters into the value: wide ones as UTF-8, a surrogate without its other
// half as the bytes that UTF-8 would have for it. Bytes that cannot be characters stay
// bytes.
void set_characters(Value& value, std::span<const std::byte> bytes, std::uint32_t unit);
// Little-endian, at most 8 bytes.
[[nodiscard]] std::uint64_t little_endian(std::span<const std::byte> bytes);
[[nodiscard]] long double float_from(std::span<const std::byte> bytes);
// The enumerators that make up the value, as GDB tells them: "A", "A | B", "A | 0x8";
// empty: none. Only an enum of single bits is a set of flags.
[[nodiscard]] std::string enum_name(const symbols::Type* type, std::uint64_t bits);

}  // namespace nohalt::values
