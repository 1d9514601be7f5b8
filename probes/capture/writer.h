// Code that copies objects into the record, and what their pointers lead to.
#pragma once

#include <algorithm>
#include <functional>
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
  [[nodiscard]] std::uint32_t limit() const { return limit_; }
  void set_limit(std::uint32_t limit) { limit_ = limit; }
  // For what is never there together: back to `used`, or past all of it again.
  void set_used(std::uint32_t used) { used_ = used; }

 private:
  std::uint32_t limit_;
  std::uint32_t used_ = 0;
};

// Where an object is: its bytes were copied to the program's stack, or it is in the target
// at the address in a slot of the stack, and so far behind it; or both.
struct Source {
  std::optional<Dest> bytes;
  std::optional<Dest> base;
  std::uint64_t distance = 0;
  Helper helper = Helper::kReadUser;
  // Of an object that is not in memory as a whole: the bytes, counted from its first, that
  // are nowhere. What is copied for them is zeros.
  const std::vector<Hole>* lost = nullptr;

  [[nodiscard]] Source plus(std::uint64_t more) const {
    return {bytes ? std::optional(bytes->plus(more)) : std::nullopt, base, distance + more, helper,
            lost};
  }
  [[nodiscard]] bool is_lost(std::uint64_t at, std::uint64_t size) const {
    const std::uint64_t begin = distance + at;
    return lost != nullptr && std::ranges::any_of(*lost, [&](const Hole& hole) {
             return hole.begin < begin + size && begin < hole.end;
           });
  }
};

// The byte that says that a node's whys[why] is why it is not there, or goes no further.
[[nodiscard]] constexpr std::uint8_t status_of(std::size_t why) {
  return static_cast<std::uint8_t>(kStatusFirstWhy + why);
}
[[nodiscard]] inline Dest body(std::uint32_t offset) {
  return {kBody, static_cast<std::int32_t>(offset)};
}
[[nodiscard]] inline Why not_followed() {
  return {ValueState::kUnavailable, "not followed: the probe captures as much as one may"};
}
[[nodiscard]] inline Why partly_known() {
  return {ValueState::kOptimizedOut, "only a part of it is known"};
}
// Whys of what a pointer or a text leads to.
inline constexpr std::size_t kWhyPointer = 0;
inline constexpr std::size_t kWhyNull = 1;
inline constexpr std::size_t kWhyUnreadable = 2;
// Whys of a container's node.
inline constexpr std::size_t kWhyHeader = 0;  // it cannot be read itself, nor an item
inline constexpr std::size_t kWhyLink = 1;
inline constexpr std::size_t kWhyDisagree = 2;
inline constexpr std::size_t kWhyOdd = 3;
inline constexpr std::size_t kWhyApart = 4;

class Writer {
 public:
  // Values of up to this size go by way of the program's stack.
  static constexpr std::uint64_t kWindow = 128;
  static constexpr std::uint64_t kInnerWindow = 64;

  Writer(Code& code, Generator& generator, RecordSpace& space, const CaptureRequest& request);

  // While it lives, what is followed may take no more than one part in `waiting`
  // of what is left, so that the first of several trees does not take it all. Room in
  // the record is not shared out among a container's items: better a few that are whole.
  class Share {
   public:
    enum class Of { kAll, kAllButRoom };
    Share(Writer& writer, std::size_t waiting, Of of = Of::kAll);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    Writer& writer_;
    std::size_t most_leads_;
    std::size_t most_code_;
    std::uint32_t most_room_;
  };

  // Room for the text of a value that is a text itself, before what other values
  // lead to may take it.
  void make_room(Node& node, const Shape& shape);
  // Says of each lead that it was not followed.
  void leave_out(Node& node, const Shape& shape);
  // The value's bytes are on the stack: copies those in no hole and follows the leads.
  // The node has its data already.
  void from_stack(Node& node, const Source& from, const Shape& shape, std::uint32_t depth);
  void copy_from_stack(const Node& node, Dest from);
  void follow_from_stack(Node& node, const Source& from, const Shape& shape, std::uint32_t depth);
  // The value is in the target: copies it piecewise, then follows. Misses go to
  // `miss`; what follows has its own.
  void from_memory(Node& node, const Source& from, const Shape& shape, std::uint32_t depth,
                   const Miss& miss, const Why& unreadable);

  [[nodiscard]] Miss miss_into(std::vector<Node*> nodes, Code::Label label);
  void write_status(const Node& node, std::uint8_t status);
  // The shape of a value of that type, of which `bytes` are captured.
  [[nodiscard]] Shape shape(const Type* type, const std::string& path, std::uint64_t bytes,
                            std::uint32_t depth, bool is_in_row = false) const;

  // Objects that tell what they really are: writer_objects.cpp.
  [[nodiscard]] bool tells_its_class(const Type* type) const;
  // Makes the node one that holds such an object; false: no room.
  [[nodiscard]] bool make_object(Node& node);
  // The object is at `from`, in memory; misses before it is known go to `miss`.
  void follow_object(Node& node, const std::string& path, const Source& from, std::uint32_t depth,
                     const Miss& miss);

 private:
  // A container that is being walked.
  struct Walk {
    Node& node;
    Items& items;
    const Lead& lead;
    Source from;
    std::uint32_t depth;  // of the container
    Code::Label done;
    Code::Label odd;  // its parts do not fit together
  };
  // What a walk keeps on the stack.
  struct Cursor {
    Dest at;    // address of the next item, or of its node
    Dest left;  // how many items there are, where that is known
  };
  // How a walk knows that it is over: by the count, by where the last item leads, or both.
  struct Ending {
    enum Kind { kNone, kNull, kPlace };
    bool is_counted = true;
    Kind kind = kNone;
    std::uint64_t stop_at = 0;  // kPlace: in the container
  };

  [[nodiscard]] std::unique_ptr<Node> new_lead_node(const Lead& lead, const std::string& name);
  [[nodiscard]] bool make_bytes(Node& node, const Type* type);
  [[nodiscard]] bool make_text(Node& node, const Lead& lead);
  [[nodiscard]] bool make_items(Node& node, const Lead& lead);
  [[nodiscard]] Node* target_of(Node& node, const Lead& lead);
  void leave_out(Node& node, const Lead& lead);
  // To `label` where the value at `from`, of which the lead is, is another variant.
  void skip_unless_there(const Node& node, const Lead& lead, const Source& from, Code::Label label);
  // The same for what the lead of the value at `from` leads to: nothing, or it is followed.
  void follow_if_there(const Node& node, Node* target, const Lead& lead, const Source& from,
                       std::uint32_t depth);
  void follow(Node& node, const Lead& lead, const Source& from, std::uint32_t depth);
  void follow_text(Node& node, const Lead& lead, const Source& from, Code::Label done);
  void load_text_size(const Lead& lead, Dest length, std::uint64_t most);
  void find_text(const Lead& lead, const Source& from, Dest pointer, Dest length);
  void load_address(const Source& from, std::uint64_t distance);  // to r3
  void follow_record(Node& node, const Lead& lead, Dest pointer, std::uint32_t depth,
                     Code::Label done);
  void follow_clusters(Node& node, const Source& from, const Shape& shape, std::uint32_t depth);
  [[nodiscard]] bool may_go_on() const;
  // Whether a value fits with what it leads to, one step far.
  [[nodiscard]] bool has_room_for(const Type* type, const Shape& shape) const;
  [[nodiscard]] std::size_t code_spoken_for() const;

  // writer_items.cpp. What returns false needs more stack or room than there is.
  void follow_items(Node& node, const Lead& lead, const Source& from, std::uint32_t depth,
                    Code::Label done);
  [[nodiscard]] bool walk(Walk& walk, const containers::Inside& inside);
  [[nodiscard]] bool walk(Walk& walk, const containers::Choice& choice);
  [[nodiscard]] bool walk(Walk& walk, const containers::Owner& owner);
  [[nodiscard]] bool own_object(Walk& walk, const Source& item, std::uint32_t depth);
  [[nodiscard]] bool count_owners(Walk& walk, const containers::Owner::Control& control,
                                  Dest counts);
  void skip_expired(const Walk& walk, Dest counts);
  [[nodiscard]] std::optional<Dest> words(Walk& walk, std::uint64_t at, std::uint64_t size);
  [[nodiscard]] std::optional<Cursor> new_cursor();
  // What an item is made of, and where the nodes of it go.
  struct Part {
    std::vector<Node>& slots;
    const Type* type;
    Shape shape;
  };
  [[nodiscard]] Node* new_slot(Walk& walk, const Type* type, const Shape& shape);
  [[nodiscard]] Node* new_slot(const Walk& walk, const Part& part);
  [[nodiscard]] Shape slot_shape(const Walk& walk, const Type* type, std::uint32_t depth) const;
  void fill_slot(const Walk& walk, Node& slot, const Source& from, const Shape& shape,
                 std::uint32_t depth);
  void count_is(const Walk& walk, Register count, std::optional<Dest> left);
  void begun(const Walk& walk);
  void end(const Walk& walk, std::uint8_t how);
  void write_walked(const Walk& walk, std::size_t slots);

  // writer_objects.cpp
  struct Object {
    Node& node;
    const std::string& path;
    Source from;
    std::uint32_t depth;
    Dest vptr;
    Code::Label done;
  };
  struct Peak {
    std::uint32_t room = 0;
    std::size_t leads = 0;
  };
  [[nodiscard]] std::vector<DynamicClass> classes_of(const Type* type,
                                                     const std::string& path) const;
  [[nodiscard]] Node* new_class(const Object& object, const Type* type);
  void add_class(const Object& object, const DynamicClass& candidate);
  void add_declared(const Object& object);
  void fill_class(const Object& object, Node& slot, const Source& from);

  // writer_walks.cpp
  using Step = std::function<void(Node& slot, const Shape& shape, std::size_t number)>;
  using ItemStep = std::function<void(std::size_t number)>;
  void each_slot(Walk& walk, const Cursor& cursor, const Ending& ending, const Step& step);
  void each_item(Walk& walk, const Cursor& cursor, const Ending& ending,
                 const std::vector<Part>& parts, const ItemStep& step);
  [[nodiscard]] bool new_item(const Walk& walk, const std::vector<Part>& parts);
  void load_stop(const Walk& walk, const Ending& ending);
  [[nodiscard]] bool may_walk_on(const Walk& walk) const;
  [[nodiscard]] bool walk(Walk& walk, const containers::Chain& chain);
  [[nodiscard]] bool walk(Walk& walk, const containers::Tree& tree);

  // writer_tables.cpp
  [[nodiscard]] bool walk(Walk& walk, const containers::Ring& ring);
  [[nodiscard]] bool walk(Walk& walk, const containers::Table& table);
  [[nodiscard]] bool count_ring(Walk& walk, const containers::Ring& ring, const Cursor& cursor,
                                Dest first, Dest capacity);
  // One more; where it reaches the number at `most`, none.
  void step_around(Dest number, Dest most);

  // writer_btree.cpp
  struct Descent {
    Walk& walk;
    const containers::BTree& tree;
    Cursor cursor;
    Dest value;   // address of the next item's value, less where a node's values begin
    Dest length;  // of the leaf
    // From the leaf upward: the node's address, and the number of its next key.
    struct Level {
      Dest node;
      Dest next;
    };
    std::vector<Level> levels;
  };
  [[nodiscard]] bool walk(Walk& walk, const containers::BTree& tree);
  [[nodiscard]] Part part_of(const Walk& walk, std::vector<Node>& slots, const Type* type,
                             const std::string& name) const;
  [[nodiscard]] bool count_btree(const Descent& descent, Dest height);
  void go_down(const Descent& descent, std::size_t level);
  void check_parent(const Descent& descent, std::size_t level);
  void measure(const Descent& descent, std::size_t level, Dest length);
  void to_first_leaf(const Descent& descent, Dest height);
  void to_next(const Descent& descent, std::size_t number);
  void pass_key(const Descent& descent, std::size_t level);
  void place_item(const Descent& descent, std::size_t level);

  // writer_rows.cpp
  [[nodiscard]] bool walk(Walk& walk, const containers::Row& row);
  [[nodiscard]] bool walk(Walk& walk, const containers::BitRow& row);
  [[nodiscard]] bool walk(Walk& walk, const containers::Blocks& blocks);
  [[nodiscard]] bool count_row(Walk& walk, const containers::Row& row, const Cursor& cursor);
  [[nodiscard]] bool count_bits(Walk& walk, const containers::BitRow& row, const Cursor& cursor);
  [[nodiscard]] bool place_blocks(Walk& walk, const containers::Blocks& blocks,
                                  const Cursor& cursor, Dest map, Dest in_block);
  void row_at_once(Walk& walk, const Cursor& cursor);

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
