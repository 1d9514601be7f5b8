// Splits an expression into tokens, one at a time: the parser stops where the
// expression stops, so that a template's text after it is never looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "probes/language/source_text.h"

namespace nohalt::language {

enum class TokenKind {
  kEnd,
  kName,
  kInteger,
  kFloating,
  kCharacter,
  kString,
  kBuiltin,
  kPunctuation
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
  std::string text;  // names, punctuation, builtins (without '$'); strings: the bytes meant
  std::uint64_t integer = 0;  // integers and characters
  long double floating = 0;
  bool is_decimal = true;         // integers: not hex, octal or binary
  bool is_unsigned = false;       // suffix u
  std::uint8_t minimum_size = 4;  // suffix l: 8; floats: 4 (f), 8, 16 (l)
};

class Lexer {
 public:
  // Reads source.text[begin, end). The source must outlive the lexer.
  Lexer(const Source& source, Span range) : source_(source), at_(range.begin), end_(range.end) {}

  // Errors: unknown-character, malformed-number, open-string, malformed-character.
  [[nodiscard]] Result<Token> next();
  [[nodiscard]] std::uint32_t position() const { return at_; }
  void go_back_to(std::uint32_t position) { at_ = position; }

 private:
  [[nodiscard]] Result<Token> number();
  [[nodiscard]] Result<Token> whole_number(Token token, std::string_view digits, int base);
  [[nodiscard]] Result<Token> floating_number(Token token, std::string_view word);
  [[nodiscard]] Result<Token> quoted(char quote);
  [[nodiscard]] Result<char> escape(std::uint32_t opened_at);
  [[nodiscard]] char peek(std::uint32_t ahead = 0) const {
    return at_ + ahead < end_ ? source_.text[at_ + ahead] : '\0';
  }

  const Source& source_;
  std::uint32_t at_;
  std::uint32_t end_;
};

[[nodiscard]] bool is_name_start(char c);
[[nodiscard]] bool is_name_part(char c);

}  // namespace nohalt::language
