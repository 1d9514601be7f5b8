#include "policy/redaction/prefix_pattern.h"

#include <string>

namespace nohalt::policy {

namespace {

// A piece of a pattern, and the pattern of its beginnings (the empty one included).
struct Piece {
  std::string whole;
  std::string beginnings;
};

std::string group(std::string_view body) { return "(?:" + std::string(body) + ")"; }

class Reader {
 public:
  explicit Reader(std::string_view pattern) : rest_(pattern) {}

  std::optional<Piece> all() {
    auto piece = alternatives();
    return rest_.empty() ? piece : std::nullopt;
  }
  [[nodiscard]] const std::string& characters() const { return characters_; }

 private:
  static constexpr int kDeepest = 8;  // each level doubles what it holds

  std::optional<Piece> alternatives();
  std::optional<Piece> sequence();
  std::optional<Piece> repeated();
  std::optional<Piece> atom();
  std::optional<Piece> parenthesis();
  std::optional<Piece> bracket();
  std::optional<Piece> escape();
  std::optional<std::string> flags();
  Piece with_quantifier(Piece piece);
  std::string_view take_quantifier();

  bool starts(std::string_view text) const { return rest_.starts_with(text); }
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  Piece one_character(std::string_view text) {
    characters_ += (characters_.empty() ? "" : "|") + std::string(text);
    return {std::string(text), group(text) + "?"};
  }
  static Piece without_width(std::string_view text) { return {std::string(text), ""}; }

  std::string_view rest_;
  std::string characters_;
  int depth_ = 0;
};

std::optional<Piece> Reader::alternatives() {
  Piece all;
  for (bool first = true;; first = false) {
    auto one = sequence();
    if (!one) return std::nullopt;
    all.whole += (first ? "" : "|") + one->whole;
    all.beginnings += (first ? "" : "|") + one->beginnings;
    if (!starts("|")) return all;
    take(1);
  }
}

std::optional<Piece> Reader::sequence() {
  Piece all;
  std::string closing;
  while (!rest_.empty() && !starts("|") && !starts(")")) {
    auto one = repeated();
    if (!one) return std::nullopt;
    all.whole += one->whole;
    all.beginnings += "(?:" + one->whole;
    closing.insert(0, "|" + one->beginnings + ")");
  }
  all.beginnings += closing;
  return all;
}

std::string_view Reader::take_quantifier() {
  std::size_t size = 0;
  if (starts("*") || starts("+") || starts("?")) size = 1;
  if (starts("{")) {
    size = rest_.find('}');
    const bool counts =
        size != std::string_view::npos && size > 1 &&
        rest_.substr(1, size - 1).find_first_not_of("0123456789,") == std::string_view::npos &&
        rest_[1] != ',';
    size = counts ? size + 1 : 0;
  }
  if (size > 0 && rest_.substr(size).starts_with('?')) ++size;  // lazy: the same matches
  return take(size);
}

Piece Reader::with_quantifier(Piece piece) {
  const std::string_view quantifier = take_quantifier();
  if (quantifier.empty()) return piece;
  Piece repeated{group(piece.whole) + std::string(quantifier), ""};
  std::string most = "*";  // at least as many as there may be before the last
  if (quantifier[0] == '{') {
    std::string_view count = quantifier.substr(1, quantifier.find('}') - 1);
    const std::size_t comma = count.find(',');
    if (comma != std::string_view::npos) count.remove_prefix(comma + 1);
    if (!count.empty()) most = "{0," + std::string(count) + "}";
  } else if (quantifier[0] == '?') {
    most = "?";
  }
  repeated.beginnings = group(piece.whole) + most + group(piece.beginnings);
  return repeated;
}

std::optional<Piece> Reader::repeated() {
  auto piece = atom();
  if (!piece) return std::nullopt;
  return with_quantifier(std::move(*piece));
}

std::optional<Piece> Reader::atom() {
  if (starts("(")) return parenthesis();
  if (starts("[")) return bracket();
  if (starts("\\")) return escape();
  if (starts("^") || starts("$")) return without_width(take(1));
  if (starts("*") || starts("+") || starts("?")) return std::nullopt;
  std::size_t size = 1;  // of one character in UTF-8
  while (size < rest_.size() && (static_cast<unsigned char>(rest_[size]) & 0xc0) == 0x80) ++size;
  return one_character(take(size));
}

// After `(?`: the flags up to their colon or parenthesis.
std::optional<std::string> Reader::flags() {
  const std::size_t end = rest_.find_first_not_of("imsU-");
  if (end == std::string_view::npos || (rest_[end] != ':' && rest_[end] != ')'))
    return std::nullopt;
  return std::string(take(end));
}

std::optional<Piece> Reader::parenthesis() {
  take(1);
  std::string opening = "(?:";
  if (starts("?P<")) {
    const std::size_t end = rest_.find('>');
    if (end == std::string_view::npos) return std::nullopt;
    take(end + 1);
  } else if (starts("?")) {
    take(1);
    const auto set = flags();
    if (!set) return std::nullopt;
    if (starts(")")) {  // for all that follows: the same in both
      take(1);
      return Piece{"(?" + *set + ")", "(?" + *set + ")"};
    }
    take(1);
    opening = "(?" + *set + ":";
  }
  if (++depth_ > kDeepest) return std::nullopt;
  auto inner = alternatives();
  --depth_;
  if (!inner || !starts(")")) return std::nullopt;
  take(1);
  return Piece{opening + inner->whole + ")", opening + inner->beginnings + ")"};
}

std::optional<Piece> Reader::bracket() {
  std::size_t at = 1;
  if (at < rest_.size() && rest_[at] == '^') ++at;
  if (at < rest_.size() && rest_[at] == ']') ++at;
  while (at < rest_.size() && rest_[at] != ']') {
    if (rest_[at] == '\\') ++at;
    if (rest_.substr(at).starts_with("[:")) at = rest_.find(":]", at + 2);
    if (at >= rest_.size()) return std::nullopt;
    at += rest_.substr(at).starts_with(":]") ? 2 : 1;
  }
  if (at >= rest_.size()) return std::nullopt;
  return one_character(take(at + 1));
}

std::optional<Piece> Reader::escape() {
  if (rest_.size() < 2 || rest_[1] == 'Q' || rest_[1] == 'C') return std::nullopt;
  const char kind = rest_[1];
  if (kind == 'A' || kind == 'b' || kind == 'B' || kind == 'z') return without_width(take(2));
  std::size_t size = 2;
  if ((kind == 'x' || kind == 'p' || kind == 'P') && rest_.size() > 2) {
    const bool braces = rest_[2] == '{';
    size = braces ? rest_.find('}') + 1 : kind == 'x' ? 4 : 3;
    if (size == 0 || size > rest_.size()) return std::nullopt;
  } else if (kind >= '0' && kind <= '7') {
    while (size < 4 && size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '7') ++size;
  }
  return one_character(take(size));
}

}  // namespace

std::optional<std::string> prefix_pattern(std::string_view pattern) {
  auto piece = Reader(pattern).all();
  if (!piece) return std::nullopt;
  return std::move(piece->beginnings);
}

// Which flags are in force for each does not matter here: both are taken.
std::optional<std::string> character_pattern(std::string_view pattern) {
  Reader reader(pattern);
  if (!reader.all()) return std::nullopt;
  return "(?s:" + reader.characters() + ")|(?is:" + reader.characters() + ")";
}

}  // namespace nohalt::policy
