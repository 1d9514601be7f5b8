// The reader tells which bytes it made values of; a second walk follows the pointers
// among them, as the program did at the hit, to say where each node was. The words by
// which a library's class leads to its items are told too, since a debugger goes by them.
#include "probes/records/values/placed.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "probes/capture/containers/recognise.h"
#include "probes/records/values/node_reader.h"

namespace nohalt::values {

using capture::Follow;
using capture::Items;
using symbols::strip_typedefs;

namespace {

namespace containers = capture::containers;
using Parts = std::vector<Placed::Part>;

class Placer {
 public:
  explicit Placer(std::span<const std::byte> body) : body_(body) {}

  void see(const Node& value, std::uint32_t max_items, const IsShown& is_shown) {
    const Look look = [&](const Node& node, std::uint64_t at, std::uint64_t size,
                          const Value& part) {
      const bool is_list = part.kind == Value::Kind::kArray || part.kind == Value::Kind::kSet;
      if (is_list && may_spell(part) && !is_shown(part)) hide_items(node, {at, at + size});
      if (is_list && node.kind != Node::Kind::kItems) return;
      const bool is_container = node.kind == Node::Kind::kItems && !is_object(node);
      const bool is_told = is_container || is_shown(part);
      (is_told ? seen_ : hidden_)[&node].push_back({at, at + size});
      // The null that it was found by.
      if (node.kind == Node::Kind::kText && node.text_may_go_on && part.state == ValueState::kExact)
        ended_.insert(&node);
    };
    static_cast<void>(NodeReader(body_, max_items, &look).read(value));
  }

  void put(const Node& node, std::optional<RuntimeAddress> at) {
    if (!is_seen(node)) return;
    if (is_object(node)) return put_object(node, at);
    const std::size_t index = placed_.size();
    Placed& placed = placed_.emplace_back();
    placed.address = at;
    const bool is_constant = node.kind == Node::Kind::kConstant;
    const auto bytes =
        is_constant ? std::as_bytes(std::span(node.constant)) : part_of(node.data, node.size);
    placed.bytes.assign(bytes.begin(), bytes.end());
    if (const auto seen = seen_.find(&node); seen != seen_.end()) placed.shown = seen->second;
    if (const auto hidden = hidden_.find(&node); hidden != hidden_.end())
      placed.hidden = hidden->second;
    for (const capture::Hole& hole : node.holes)
      if (hole.why.state == ValueState::kRedacted) placed.hidden.push_back({hole.begin, hole.end});
    if (node.kind == Node::Kind::kText) cut_text(node, placed);
    for (const Follow& follow : node.follows)
      if (seen_.contains(follow.node.get())) lead(node, index, follow);
  }

  [[nodiscard]] std::vector<Placed> take() { return std::move(placed_); }

 private:
  static bool is_object(const Node& node) {
    return node.kind == Node::Kind::kItems && node.items->kind == Items::Kind::kObject;
  }

  // Numbers and characters, which may be a text that only as a whole is known by its look.
  static bool may_spell(const Value& list) {
    return std::ranges::all_of(list.items, [](const Value& item) {
      return item.kind == Value::Kind::kInteger || item.kind == Value::Kind::kChar;
    });
  }

  // Of a list that has been seen item by item; `part` is where an array lies in the node.
  void hide_items(const Node& node, const Placed::Part& part) {
    const auto hide = [this](const Node& of, const Placed::Part& all) {
      std::erase_if(seen_[&of], [&](const Placed::Part& seen) {
        return all.begin <= seen.begin && seen.end <= all.end;
      });
      hidden_[&of].push_back(all);
    };
    if (node.items == nullptr) return hide(node, part);
    for (const Node& slot : node.items->slots) hide(slot, {0, slot.size});
  }

  // Of what the object may be only that which it was has been seen.
  void put_object(const Node& node, std::optional<RuntimeAddress> at) {
    const Items& items = *node.items;
    const auto pointer = part_of(items.count, 8);
    if (!at || pointer.empty()) return;
    for (const Node& slot : items.slots) {
      const auto known = items.distances.find(little_endian(pointer));
      const bool is_whole = &slot != &items.slots.back() && known != items.distances.end();
      put(slot, *at - (is_whole ? known->second : 0));
    }
  }

  // Of a container's bytes nothing need be shown by itself.
  [[nodiscard]] bool is_seen(const Node& node) const {
    return seen_.contains(&node) || std::ranges::any_of(node.follows, [this](const Follow& follow) {
             return seen_.contains(follow.node.get());
           });
  }

  [[nodiscard]] std::span<const std::byte> part_of(std::uint32_t from, std::uint64_t size) const {
    if (from > body_.size() || size > body_.size() - from) return {};
    return body_.subspan(from, size);
  }

  // Nothing behind a text's end is its own, but for the null.
  void cut_text(const Node& node, Placed& placed) {
    std::uint64_t length = 0;
    for (const Placed::Part& part : placed.shown) length = std::max(length, part.end);
    placed.bytes.resize(length);
    if (!ended_.contains(&node)) return;
    placed.bytes.resize(length + character_size(node.type));
    placed.shown.push_back({length, placed.bytes.size()});
  }

  void lead(const Node& node, std::size_t index, const Follow& follow) {
    const Node& to = *follow.node;
    if (to.kind == Node::Kind::kItems && !is_object(to)) return items(node, index, follow.at, to);
    if (to.kind == Node::Kind::kText)
      if (const auto text = containers::recognise_text(to.type))
        return counted_text(node, index, follow.at, *text, to);
    if (const auto address = word(node, index, follow.at)) put(to, RuntimeAddress{*address});
  }

  // The word is shown with what it leads to.
  std::optional<std::uint64_t> word(const Node& node, std::size_t index, std::uint64_t at) {
    std::uint64_t word = 0;
    if (!show(node, index, at, sizeof word)) return std::nullopt;
    std::memcpy(&word, placed_[index].bytes.data() + at, sizeof word);
    return word;
  }

  bool show(const Node& node, std::size_t index, std::uint64_t at, std::uint64_t size) {
    const auto covers = [&](const capture::Hole& hole) {
      return hole.begin < at + size && at < hole.end;
    };
    if (at + size > placed_[index].bytes.size() || std::ranges::any_of(node.holes, covers))
      return false;
    placed_[index].shown.push_back({at, at + size});
    return true;
  }

  void counted_text(const Node& node, std::size_t index, std::uint64_t at,
                    const containers::Text& text, const Node& to) {
    if (text.may_be_short && show(node, index, at + text.tag_at, 1)) {
      const bool is_short = (placed_[index].bytes[at + text.tag_at] & std::byte{1}) == std::byte{0};
      if (is_short) {
        if (placed_[index].address) put(to, *placed_[index].address + at + text.short_at);
        return;
      }
    }
    const auto begin = word(node, index, at + text.pointer_at);
    if (begin && word(node, index, at + text.length_at))
      put(to, RuntimeAddress{*begin + text.behind});
  }

  void items(const Node& node, std::size_t index, std::uint64_t at, const Node& to) {
    const auto container = containers::recognise(to.type);
    if (container == nullptr) return;
    std::visit([&](const auto& way) { place_items(node, index, at, *to.items, way); },
               container->way);
  }

  void words(const Node& node, std::size_t index, std::uint64_t at,
             std::initializer_list<std::optional<std::uint64_t>> all) {
    for (const auto& one : all)
      if (one) show(node, index, at + *one, 8);
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items& items,
                   const containers::Row& row) {
    words(node, index, at, {row.end_at, row.count_at, row.limit_at});
    const auto begin = word(node, index, at + row.begin_at);
    if (!begin || items.item == nullptr) return;
    const std::uint64_t stride = strip_typedefs(items.item)->byte_size;
    for (std::size_t i = 0; i < items.slots.size(); ++i)
      put(items.slots[i], RuntimeAddress{*begin + row.behind + i * stride});
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items& items,
                   const containers::BitRow& row) {
    words(node, index, at, {row.end_at, row.count_at});
    if (row.end_at) show(node, index, at + row.end_bits_at, 4);
    const auto begin = word(node, index, at + row.begin_at);
    const auto bits = part_of(items.bits, items.bits_size);
    if (!begin) return;
    placed_.push_back(
        {RuntimeAddress{*begin}, {bits.begin(), bits.end()}, {{0, items.bits_size}}, {}});
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items& items,
                   const containers::Inside& inside) {
    show(node, index, at + inside.engaged_at, 1);
    if (placed_[index].address && !items.slots.empty())
      put(items.slots[0], *placed_[index].address + at + inside.at);
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items& items,
                   const containers::Choice& choice) {
    show(node, index, at + choice.index_at, choice.index_size);
    if (!placed_[index].address) return;
    for (const Node& slot : items.slots) put(slot, *placed_[index].address + at + choice.at);
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items& items,
                   const containers::Owner& owner) {
    if (owner.control) show(node, index, at + owner.control->pointer_at, 8);
    const auto begin = word(node, index, at + owner.pointer_at);
    if (begin && !items.slots.empty()) put(items.slots[0], RuntimeAddress{*begin + owner.behind});
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items&,
                   const containers::Chain& chain) {
    words(node, index, at, {chain.first_at, chain.count_at});
  }

  void place_items(const Node& node, std::size_t index, std::uint64_t at, const Items&,
                   const containers::Tree& tree) {
    words(node, index, at, {tree.first_at, tree.count_at});
  }

  // Of other ways it is not known where they lead.
  template <class Way>
  void place_items(const Node&, std::size_t, std::uint64_t, const Items&, const Way&) {}

  std::span<const std::byte> body_;
  std::map<const Node*, Parts> seen_;
  std::map<const Node*, Parts> hidden_;
  std::set<const Node*> ended_;
  std::vector<Placed> placed_;
};

}  // namespace

std::vector<Placed> place(const Node& value, std::optional<RuntimeAddress> at,
                          std::span<const std::byte> body, std::uint32_t max_items,
                          const IsShown& is_shown) {
  Placer placer(body);
  placer.see(value, max_items, is_shown);
  placer.put(value, at);
  return placer.take();
}

}  // namespace nohalt::values
