// Numbers, characters and strings as C spells them.
#include "probes/language/lexer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace nohalt::language {

namespace {

// Longest first.
constexpr std::array<std::string_view, 37> kPunctuation = {
    "<<=", ">>=", "->", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>", "::", "..",
    "+",   "-",   "*",  "/",  "%",  "&",  "|",  "^",  "!",  "~",  "<",  ">",  "=",
    "(",   ")",   "[",  "]",  ".",  "?",  ":",  "}",  ",",  "{",  ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
int hex_value(char c) { return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

}  // namespace

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

Result<Token> Lexer::next() {
  while (at_ < end_ && is_space(source_.text[at_])) ++at_;
  Token token;
  token.span = {at_, at_};
  if (at_ >= end_) return token;
  const char c = peek();
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
  if (c == '\'' || c == '"') return quoted(c);
  if (is_name_start(c) || (c == '$' && is_name_start(peek(1)))) {
    token.kind = c == '$' ? TokenKind::kBuiltin : TokenKind::kName;
    const std::uint32_t first = at_ + (c == '$' ? 1 : 0);
    for (++at_; at_ < end_ && is_name_part(source_.text[at_]);) ++at_;
    token.span.end = at_;
    token.text = source_.at({first, at_});
    return token;
  }
  const std::string_view rest = source_.at({at_, end_});
  for (const std::string_view mark : kPunctuation) {
    if (!rest.starts_with(mark)) continue;
    at_ += static_cast<std::uint32_t>(mark.size());
    token.kind = TokenKind::kPunctuation;
    token.span.end = at_;
    token.text = mark;
    return token;
  }
  return fail_at(source_, token.span, "unknown-character", "this character has no meaning here",
                 "Expressions are C-like: names, numbers, ., ->, [], operators.");
}

Result<Token> Lexer::number() {
  Token token;
  token.span = {at_, at_};
  std::uint32_t end = at_;
  const bool hex = peek() == '0' && (peek(1) | 0x20) == 'x';
  bool floating = false;
  for (; end < end_; ++end) {
    const char c = source_.text[end];
    const char before = end > at_ ? static_cast<char>(source_.text[end - 1] | 0x20) : '\0';
    const bool exponent_sign =
        (c == '+' || c == '-') && (hex ? before == 'p' : before == 'e') && end > at_;
    if (!is_name_part(c) && c != '.' && !exponent_sign) break;
    const bool is_range = c == '.' && end + 1 < end_ && source_.text[end + 1] == '.';  // 0..4
    if (is_range) break;
    const char lower = static_cast<char>(c | 0x20);
    floating = floating || c == '.' || (hex ? lower == 'p' : lower == 'e');
  }
  token.span.end = end;
  const std::string_view word = source_.at(token.span);
  at_ = end;
  if (floating) return floating_number(token, word);
  if (hex) return whole_number(token, word.substr(2), 16);
  if (word.size() > 1 && word[0] == '0' && (word[1] | 0x20) == 'b') {
    return whole_number(token, word.substr(2), 2);
  }
  if (word.size() > 1 && word[0] == '0') return whole_number(token, word, 8);
  return whole_number(token, word, 10);
}

Result<Token> Lexer::whole_number(Token token, std::string_view digits, int base) {
  token.kind = TokenKind::kInteger;
  token.is_decimal = base == 10;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
  if (parsed.ec == std::errc::result_out_of_range) {
    return fail_at(source_, token.span, "malformed-number", "this number does not fit 64 bits");
  }
  const std::string_view suffix(parsed.ptr, digits.data() + digits.size());
  const bool no_digits = parsed.ec != std::errc{};
  int longs = 0;
  bool bad = no_digits;
  for (const char c : suffix) {
    const char lower = static_cast<char>(c | 0x20);
    bad = bad || (lower != 'u' && lower != 'l') || (lower == 'u' && token.is_unsigned);
    if (lower == 'u') token.is_unsigned = true;
    if (lower == 'l') ++longs;
  }
  if (bad || longs > 2) {
    return fail_at(source_, token.span, "malformed-number", "this is not a number",
                   "Write 42, 0x2a, 052, 0b101010, 42u or 42ul.");
  }
  if (longs > 0) token.minimum_size = 8;
  return token;
}

Result<Token> Lexer::floating_number(Token token, std::string_view word) {
  token.kind = TokenKind::kFloating;
  token.minimum_size = 8;
  std::string digits(word);
  const bool hex = word.starts_with("0x") || word.starts_with("0X");
  const char last = static_cast<char>(word.back() | 0x20);
  if (last == 'l' || (last == 'f' && (!hex || word.find_first_of("pP") != word.npos))) {
    token.minimum_size = last == 'f' ? 4 : 16;
    digits.pop_back();
  }
  char* end = nullptr;
  token.floating = std::strtold(digits.c_str(), &end);
  if (digits.empty() || *end != '\0') {
    return fail_at(source_, token.span, "malformed-number", "this is not a number",
                   "Write 1.5, 1e-3 or 0x1.8p3.");
  }
  if (token.minimum_size == 8) token.floating = static_cast<double>(token.floating);
  if (token.minimum_size == 4) token.floating = static_cast<float>(token.floating);
  if (std::isinf(token.floating)) {
    return fail_at(source_, token.span, "malformed-number", "this number is too large");
  }
  return token;
}

Result<Token> Lexer::quoted(char quote) {
  Token token;
  const std::uint32_t opened_at = at_;
  token.kind = quote == '"' ? TokenKind::kString : TokenKind::kCharacter;
  ++at_;
  while (at_ < end_ && source_.text[at_] != quote) {
    if (source_.text[at_] == '\\') {
      NOHALT_TRY(const char meant, escape(opened_at));
      token.text += meant;
    } else {
      token.text += source_.text[at_++];
    }
  }
  if (at_ >= end_) {
    return fail_at(source_, {opened_at, end_}, "open-string", "this quote is never closed",
                   std::string("Close it with ") + quote + ".");
  }
  ++at_;
  token.span = {opened_at, at_};
  if (quote == '\'') {
    if (token.text.size() != 1) {
      return fail_at(source_, token.span, "malformed-character",
                     "a character literal holds exactly one byte");
    }
    token.integer = static_cast<std::uint64_t>(static_cast<signed char>(token.text[0]));
  }
  return token;
}

Result<char> Lexer::escape(std::uint32_t opened_at) {
  const std::uint32_t began = at_;
  ++at_;
  if (at_ >= end_) {
    return fail_at(source_, {opened_at, end_}, "open-string", "this quote is never closed");
  }
  const char c = source_.text[at_++];
  constexpr std::string_view kLetters = "abfnrtv";
  constexpr std::string_view kMeant = "\a\b\f\n\r\t\v";
  if (const auto found = kLetters.find(c); found != kLetters.npos) return kMeant[found];
  if (c == '\\' || c == '\'' || c == '"' || c == '?') return c;
  int value = 0;
  int digits = 0;
  if (c == 'x') {
    for (; digits < 2 && is_hex(peek()); ++digits)
      value = value * 16 + hex_value(source_.text[at_++]);
  } else if (c >= '0' && c <= '7') {
    value = c - '0';
    for (digits = 1; digits < 3 && peek() >= '0' && peek() <= '7'; ++digits) {
      value = value * 8 + (source_.text[at_++] - '0');
    }
  }
  if (digits == 0 || value > 0xff) {
    return fail_at(source_, {began, at_}, "malformed-escape", "this escape has no meaning",
                   "Known are \\n \\t \\\\ \\\" \\xNN \\NNN and the other C ones.");
  }
  return static_cast<char>(static_cast<unsigned char>(value));
}

}  // namespace nohalt::language
