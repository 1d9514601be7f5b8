// Precedence climbing (Richards 1979; Norvell, "Parsing Expressions by
// Recursive Descent") over the lexer, with the precedences of C.
#include "probes/language/parser.h"

#include <array>
#include <optional>
#include <set>

namespace nohalt::language {

namespace {

struct BinaryRule {
  std::string_view mark;
  int precedence;
  BinaryOp op;
};
constexpr std::array<BinaryRule, 18> kBinaryRules = {{
    {"*", 10, BinaryOp::kMultiply},
    {"/", 10, BinaryOp::kDivide},
    {"%", 10, BinaryOp::kModulo},
    {"+", 9, BinaryOp::kAdd},
    {"-", 9, BinaryOp::kSubtract},
    {"<<", 8, BinaryOp::kShiftLeft},
    {">>", 8, BinaryOp::kShiftRight},
    {"<", 7, BinaryOp::kLess},
    {"<=", 7, BinaryOp::kLessEqual},
    {">", 7, BinaryOp::kGreater},
    {">=", 7, BinaryOp::kGreaterEqual},
    {"==", 6, BinaryOp::kEqual},
    {"!=", 6, BinaryOp::kNotEqual},
    {"&", 5, BinaryOp::kBitAnd},
    {"^", 4, BinaryOp::kBitXor},
    {"|", 3, BinaryOp::kBitOr},
    {"&&", 2, BinaryOp::kAnd},
    {"||", 1, BinaryOp::kOr},
}};

const std::set<std::string, std::less<>> kTypeWords = {
    "struct", "union", "enum",  "class",   "const",   "volatile", "unsigned",
    "signed", "int",   "char",  "short",   "long",    "float",    "double",
    "void",   "bool",  "_Bool", "wchar_t", "char8_t", "char16_t", "char32_t"};

bool is_text_test(std::string_view name) { return name == "starts_with" || name == "contains"; }

class Parser {
 public:
  Parser(const Source& source, Span range) : source_(source), lexer_(source, range) {}

  [[nodiscard]] Status start() { return advance(); }
  [[nodiscard]] const Token& token() const { return token_; }
  [[nodiscard]] Result<SyntaxPtr> conditional();
  [[nodiscard]] std::unexpected<Error> unexpected(const std::string& wanted) const;

 private:
  [[nodiscard]] Result<SyntaxPtr> binary(int least);
  [[nodiscard]] Result<SyntaxPtr> unary();
  [[nodiscard]] Result<SyntaxPtr> prefixed();
  [[nodiscard]] Result<SyntaxPtr> postfix();
  [[nodiscard]] Result<SyntaxPtr> primary();
  [[nodiscard]] Result<SyntaxPtr> name();
  [[nodiscard]] Result<SyntaxPtr> call(SyntaxPtr name);
  [[nodiscard]] Result<std::optional<std::string>> cast_type();
  [[nodiscard]] Result<std::string> type_arguments();

  [[nodiscard]] Status advance() {
    NOHALT_TRY(token_, lexer_.next());
    return {};
  }
  [[nodiscard]] bool at(std::string_view mark) const {
    return token_.kind == TokenKind::kPunctuation && token_.text == mark;
  }
  [[nodiscard]] Status expect(std::string_view mark) {
    if (!at(mark)) return unexpected("'" + std::string(mark) + "'");
    return advance();
  }
  [[nodiscard]] Result<SyntaxPtr> make(SyntaxKind kind, Span mark);
  [[nodiscard]] static SyntaxPtr adopt(SyntaxPtr parent, SyntaxPtr child);

  struct Nesting {
    explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
    ~Nesting() { --depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    int& depth_;
  };

  const Source& source_;
  Lexer lexer_;
  Token token_;
  int depth_ = 0;
  int nodes_ = 0;
};

std::unexpected<Error> Parser::unexpected(const std::string& wanted) const {
  if (token_.kind == TokenKind::kEnd) {
    return fail_at(source_, token_.span, "syntax-error", "it ends where " + wanted + " should be");
  }
  if (at("=")) {
    return fail_at(source_, token_.span, "syntax-error", "a probe cannot assign",
                   "To compare, write ==.");
  }
  return fail_at(
      source_, token_.span, "syntax-error",
      "unexpected '" + std::string(source_.at(token_.span)) + "' where " + wanted + " should be");
}

Result<SyntaxPtr> Parser::make(SyntaxKind kind, Span mark) {
  if (++nodes_ > kMaxNodes) {
    return fail_at(source_, mark, "expression-too-large", "this expression is too large",
                   "Split it into several.");
  }
  auto node = std::make_unique<Syntax>();
  node->kind = kind;
  node->mark = mark;
  node->span = mark;
  return node;
}

SyntaxPtr Parser::adopt(SyntaxPtr parent, SyntaxPtr child) {
  parent->span.begin = std::min(parent->span.begin, child->span.begin);
  parent->span.end = std::max(parent->span.end, child->span.end);
  parent->operands.push_back(std::move(child));
  return parent;
}

Result<SyntaxPtr> Parser::conditional() {
  const Nesting nesting(depth_);
  NOHALT_TRY(SyntaxPtr first, binary(1));
  if (!at("?")) return first;
  NOHALT_TRY(SyntaxPtr node, make(SyntaxKind::kConditional, token_.span));
  NOHALT_CHECK(advance());
  NOHALT_TRY(SyntaxPtr second, conditional());
  NOHALT_CHECK(expect(":"));
  NOHALT_TRY(SyntaxPtr third, conditional());
  node = adopt(std::move(node), std::move(first));
  node = adopt(std::move(node), std::move(second));
  return adopt(std::move(node), std::move(third));
}

Result<SyntaxPtr> Parser::binary(int least) {
  NOHALT_TRY(SyntaxPtr left, unary());
  for (;;) {
    const BinaryRule* rule = nullptr;
    for (const BinaryRule& candidate : kBinaryRules) {
      if (at(candidate.mark) && candidate.precedence >= least) rule = &candidate;
    }
    if (rule == nullptr) return left;
    NOHALT_TRY(SyntaxPtr node, make(SyntaxKind::kBinary, token_.span));
    node->op = rule->op;
    NOHALT_CHECK(advance());
    NOHALT_TRY(SyntaxPtr right, binary(rule->precedence + 1));
    node = adopt(std::move(node), std::move(left));
    left = adopt(std::move(node), std::move(right));
  }
}

Result<SyntaxPtr> Parser::unary() {
  const Nesting nesting(depth_);
  if (depth_ > kMaxNesting) {
    return fail_at(source_, token_.span, "expression-too-large",
                   "this expression is nested too deeply");
  }
  return prefixed();
}

Result<SyntaxPtr> Parser::prefixed() {
  constexpr std::array<std::pair<std::string_view, SyntaxKind>, 6> kPrefixes = {{
      {"*", SyntaxKind::kDereference},
      {"&", SyntaxKind::kAddressOf},
      {"-", SyntaxKind::kNegate},
      {"+", SyntaxKind::kPlus},
      {"!", SyntaxKind::kNot},
      {"~", SyntaxKind::kComplement},
  }};
  for (const auto& [mark, kind] : kPrefixes) {
    if (!at(mark)) continue;
    NOHALT_TRY(SyntaxPtr node, make(kind, token_.span));
    NOHALT_CHECK(advance());
    NOHALT_TRY(SyntaxPtr operand, unary());
    return adopt(std::move(node), std::move(operand));
  }
  if (at("(")) {
    const Span open = token_.span;
    const Token saved = token_;
    const std::uint32_t back = lexer_.position();
    NOHALT_TRY(const auto type, cast_type());
    if (type) {
      NOHALT_TRY(SyntaxPtr node, make(SyntaxKind::kCast, open));
      node->text = *type;
      NOHALT_TRY(SyntaxPtr operand, unary());
      return adopt(std::move(node), std::move(operand));
    }
    lexer_.go_back_to(back);
    token_ = saved;
  }
  return postfix();
}

Result<SyntaxPtr> Parser::postfix() {
  NOHALT_TRY(SyntaxPtr node, primary());
  for (;;) {
    if (at(".") || at("->")) {
      const auto kind = at(".") ? SyntaxKind::kMember : SyntaxKind::kArrow;
      const Span mark = token_.span;
      NOHALT_CHECK(advance());
      if (token_.kind != TokenKind::kName) return unexpected("a member's name");
      NOHALT_TRY(SyntaxPtr outer, make(kind, token_.span));
      outer->text = token_.text;
      outer->span = {mark.begin, token_.span.end};
      NOHALT_CHECK(advance());
      node = adopt(std::move(outer), std::move(node));
    } else if (at("[")) {
      NOHALT_TRY(SyntaxPtr outer, make(SyntaxKind::kIndex, token_.span));
      NOHALT_CHECK(advance());
      NOHALT_TRY(SyntaxPtr index, conditional());
      SyntaxPtr end;
      if (at("..")) {
        outer->kind = SyntaxKind::kSlice;
        NOHALT_CHECK(advance());
        NOHALT_TRY(end, conditional());
      }
      outer->span.end = token_.span.end;
      NOHALT_CHECK(expect("]"));
      outer = adopt(std::move(outer), std::move(node));
      node = adopt(std::move(outer), std::move(index));
      if (end) node = adopt(std::move(node), std::move(end));
    } else if (at("(")) {
      return fail_at(source_, token_.span, "syntax-error",
                     "a probe cannot call the target's functions",
                     "Only len(), starts_with() and contains() may be called.");
    } else {
      return node;
    }
  }
}

Result<SyntaxPtr> Parser::primary() {
  const Span span = token_.span;
  if (at("(")) {
    NOHALT_CHECK(advance());
    NOHALT_TRY(SyntaxPtr inner, conditional());
    inner->span = {span.begin, token_.span.end};
    NOHALT_CHECK(expect(")"));
    return inner;
  }
  if (token_.kind == TokenKind::kName || at("::")) return name();
  SyntaxKind kind{};
  switch (token_.kind) {
    case TokenKind::kInteger:
      kind = SyntaxKind::kInteger;
      break;
    case TokenKind::kFloating:
      kind = SyntaxKind::kFloating;
      break;
    case TokenKind::kCharacter:
      kind = SyntaxKind::kCharacter;
      break;
    case TokenKind::kString:
      kind = SyntaxKind::kString;
      break;
    case TokenKind::kBuiltin:
      kind = SyntaxKind::kBuiltin;
      break;
    default:
      return unexpected("a value");
  }
  NOHALT_TRY(SyntaxPtr node, make(kind, span));
  node->text = token_.text;
  node->integer = token_.integer;
  node->floating = token_.floating;
  node->is_decimal = token_.is_decimal;
  node->is_unsigned = token_.is_unsigned;
  node->minimum_size = token_.minimum_size;
  NOHALT_CHECK(advance());
  return node;
}

Result<SyntaxPtr> Parser::name() {
  NOHALT_TRY(SyntaxPtr node, make(SyntaxKind::kName, token_.span));
  for (;;) {
    if (at("::")) NOHALT_CHECK(advance());
    if (token_.kind != TokenKind::kName) return unexpected("a name");
    node->text += (node->text.empty() ? "" : "::") + token_.text;
    node->span.end = token_.span.end;
    NOHALT_CHECK(advance());
    if (!at("::")) break;
  }
  node->mark = node->span;
  const bool is_call = node->text == "len" || is_text_test(node->text);
  if (is_call && at("(")) return call(std::move(node));
  if (node->text == "true") node->kind = SyntaxKind::kTrue;
  if (node->text == "false") node->kind = SyntaxKind::kFalse;
  if (node->text == "nullptr" || node->text == "NULL") node->kind = SyntaxKind::kNull;
  return node;
}

// At the parenthesis.
Result<SyntaxPtr> Parser::call(SyntaxPtr name) {
  const bool is_test = is_text_test(name->text);
  NOHALT_TRY(SyntaxPtr node,
             make(is_test ? SyntaxKind::kTextTest : SyntaxKind::kLength, name->span));
  node->op = name->text == "contains" ? BinaryOp::kContains : BinaryOp::kStartsWith;
  NOHALT_CHECK(advance());
  NOHALT_TRY(SyntaxPtr operand, conditional());
  node = adopt(std::move(node), std::move(operand));
  if (is_test) {
    NOHALT_CHECK(expect(","));
    NOHALT_TRY(SyntaxPtr wanted, conditional());
    node = adopt(std::move(node), std::move(wanted));
  }
  node->span = {name->span.begin, token_.span.end};
  NOHALT_CHECK(expect(")"));
  return node;
}

// Everything between < and its >, as one word.
Result<std::string> Parser::type_arguments() {
  std::string words;
  int open = 0;
  do {
    if (token_.kind == TokenKind::kEnd) return std::string();
    if (at("<")) ++open;
    if (at(">")) --open;
    if (at(">>")) open -= 2;
    const bool gap =
        !words.empty() && is_name_part(words.back()) && token_.kind == TokenKind::kName;
    words += (gap ? " " : "") + token_.text + (at(",") ? " " : "");
    NOHALT_CHECK(advance());
  } while (open > 0);
  return words;
}

// At "(": the type written before the matching ")" where this is a cast;
// otherwise nothing, and the caller goes back.
Result<std::optional<std::string>> Parser::cast_type() {
  NOHALT_CHECK(advance());
  std::string type;
  bool sure = false;
  int plain_names = 0;
  while (token_.kind == TokenKind::kName) {
    if (kTypeWords.contains(token_.text)) {
      sure = true;
    } else if (++plain_names > 1) {
      return std::nullopt;
    }
    type += (type.empty() || type.ends_with("::") ? "" : " ") + token_.text;
    NOHALT_CHECK(advance());
    if (at("::")) {
      type += "::";
      --plain_names;
      NOHALT_CHECK(advance());
    } else if (at("<") && sure) {
      NOHALT_TRY(const std::string arguments, type_arguments());
      type += arguments;
    }
  }
  if (type.empty()) return std::nullopt;
  std::string stars;
  while (at("*") || (token_.kind == TokenKind::kName && token_.text == "const" && !stars.empty())) {
    if (at("*")) stars += '*';
    NOHALT_CHECK(advance());
  }
  if (!at(")")) return std::nullopt;
  NOHALT_CHECK(advance());
  if (!sure && stars.empty()) {
    const bool operand = token_.kind == TokenKind::kName || token_.kind == TokenKind::kInteger ||
                         token_.kind == TokenKind::kFloating ||
                         token_.kind == TokenKind::kBuiltin || token_.kind == TokenKind::kString ||
                         token_.kind == TokenKind::kCharacter || at("(") || at("!") || at("~");
    if (!operand) return std::nullopt;
  }
  return type + (stars.empty() ? "" : " ") + stars;
}

}  // namespace

Result<ParsedPart> parse_expression_at(const Source& source, std::uint32_t begin) {
  if (source.text.size() > kMaxSourceBytes) {
    return fail(ErrorCode::kUsage, "expression-too-large",
                "The " + source.what + " is longer than 16 KiB.", "Shorten it.");
  }
  Parser parser(source, {begin, static_cast<std::uint32_t>(source.text.size())});
  NOHALT_CHECK(parser.start());
  NOHALT_TRY(SyntaxPtr root, parser.conditional());
  return ParsedPart{std::move(root), parser.token().span.begin};
}

Result<SyntaxPtr> parse_expression(const Source& source) {
  if (source.text.size() > kMaxSourceBytes) {
    return fail(ErrorCode::kUsage, "expression-too-large",
                "The " + source.what + " is longer than 16 KiB.", "Shorten it.");
  }
  Parser parser(source, {0, static_cast<std::uint32_t>(source.text.size())});
  NOHALT_CHECK(parser.start());
  NOHALT_TRY(SyntaxPtr root, parser.conditional());
  if (parser.token().kind != TokenKind::kEnd) return parser.unexpected("the end");
  return root;
}

}  // namespace nohalt::language
