// One pass that only tells texts from the rest and counts brackets: verifying a
// trail is bound by hashing, not by reading JSON. What is between the brackets of
// an inner value is not judged here; the hash covers it.
#include "policy/audit/scan.h"

#include <charconv>

namespace nohalt::policy {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  // A text, without its quotes.
  [[nodiscard]] std::optional<std::string_view> take_text() {
    if (!take('"')) return std::nullopt;
    const std::size_t begin = at_;
    for (; at_ < text_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return std::nullopt;
      if (c == '\\') ++at_;
      if (c == '"') return text_.substr(begin, at_++ - begin);
    }
    return std::nullopt;
  }

  // Any value, as it is written.
  [[nodiscard]] std::optional<std::string_view> take_value() {
    const std::size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '"') {
      if (!take_text()) return std::nullopt;
    } else if (at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '[')) {
      if (!skip_nested()) return std::nullopt;
    } else {
      at_ = std::min(text_.find_first_of(",{}[]\": ", at_), text_.size());
      if (at_ == begin) return std::nullopt;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  [[nodiscard]] bool skip_nested() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return false;
      if (c == '"') {
        if (!take_text()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool to_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

// The content of a text; empty where the value is none.
std::string_view unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"') return {};
  return value.substr(1, value.size() - 2);
}

template <class Take>
bool for_each_member(std::string_view object, const Take& take) {
  Scanner scanner(object);
  if (!scanner.take('{')) return false;
  std::string_view last;
  if (scanner.take('}')) return scanner.at_end();
  do {
    const auto name = scanner.take_text();
    if (!name || *name <= last || !scanner.take(':')) return false;
    last = *name;
    const auto value = scanner.take_value();
    if (!value || !take(*name, *value)) return false;
  } while (scanner.take(','));
  return scanner.take('}') && scanner.at_end();
}

bool take_field(LineFields& fields, std::string_view name, std::string_view value) {
  if (name == "seq") return to_number(value, fields.seq) && fields.seq != 0;
  if (name == "boot_ms") return to_number(value, fields.boot_ms);
  if (name == "prev") fields.previous = unquoted(value);
  if (name == "chain") fields.chain = unquoted(value);
  if (name == "torn") fields.torn = unquoted(value);
  if (name == "event") fields.event = unquoted(value);
  if (name == "time") fields.time = unquoted(value);
  if (name == "boot_id") fields.boot_id = unquoted(value);
  if (name == "signed") fields.signed_part = value;
  if (name != "under" && name != "signed") return true;
  return for_each_member(value, [&](std::string_view inner, std::string_view text) {
    if (inner == "policy_hash") fields.policy_hash = unquoted(text);
    if (inner == "key") fields.key = unquoted(text);
    if (inner == "signature") fields.signature = unquoted(text);
    return true;
  });
}

}  // namespace

std::optional<LineFields> scan_line(std::string_view line) {
  LineFields fields;
  const bool whole = for_each_member(line, [&](std::string_view name, std::string_view value) {
    return take_field(fields, name, value);
  });
  if (!whole || fields.seq == 0 || fields.previous.size() != kHashDigits ||
      fields.chain.size() != kHashDigits)
    return std::nullopt;
  return fields;
}

}  // namespace nohalt::policy
