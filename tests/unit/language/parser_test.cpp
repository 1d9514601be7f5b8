// What is written, and what is said about what is written wrongly.
#include "probes/language/parser.h"

#include <gtest/gtest.h>

#include "probes/language/template.h"

namespace nohalt::language {
namespace {

// A tree as brackets: (op left right).
std::string shown(const Syntax& node) {
  constexpr const char* kBinary[] = {"*", "/",  "%",  "+",  "-", "<<", ">>", "<",  "<=",
                                     ">", ">=", "==", "!=", "&", "^",  "|",  "&&", "||"};
  std::string head;
  switch (node.kind) {
    case SyntaxKind::kInteger:
      return std::to_string(node.integer);
    case SyntaxKind::kFloating:
      return std::to_string(static_cast<double>(node.floating));
    case SyntaxKind::kName:
      return node.text;
    case SyntaxKind::kString:
      return "\"" + node.text + "\"";
    case SyntaxKind::kCharacter:
      return "'" + node.text + "'";
    case SyntaxKind::kBuiltin:
      return "$" + node.text;
    case SyntaxKind::kMember:
      head = "." + node.text;
      break;
    case SyntaxKind::kArrow:
      head = "->" + node.text;
      break;
    case SyntaxKind::kIndex:
      head = "[]";
      break;
    case SyntaxKind::kDereference:
      head = "deref";
      break;
    case SyntaxKind::kAddressOf:
      head = "addr";
      break;
    case SyntaxKind::kNegate:
      head = "neg";
      break;
    case SyntaxKind::kNot:
      head = "not";
      break;
    case SyntaxKind::kComplement:
      head = "~";
      break;
    case SyntaxKind::kBinary:
      head = kBinary[static_cast<int>(node.op)];
      break;
    case SyntaxKind::kConditional:
      head = "?";
      break;
    case SyntaxKind::kCast:
      head = "cast<" + node.text + ">";
      break;
    case SyntaxKind::kLength:
      head = "len";
      break;
    case SyntaxKind::kTextTest:
      head = node.op == BinaryOp::kContains ? "contains" : "starts_with";
      break;
    default:
      head = "other";
      break;
  }
  std::string text = "(" + head;
  for (const auto& operand : node.operands) text += " " + shown(*operand);
  return text + ")";
}

std::string parsed(const std::string& text) {
  const Source source{"expression", text};
  const auto result = parse_expression(source);
  return result ? shown(**result) : result.error().message;
}

TEST(Parser, binds_operators_as_c_does) {
  EXPECT_EQ(parsed("a + b * c"), "(+ a (* b c))");
  EXPECT_EQ(parsed("a - b - c"), "(- (- a b) c)");
  EXPECT_EQ(parsed("a & b == c"), "(& a (== b c))");
  EXPECT_EQ(parsed("a || b && c | d ^ e & f"), "(|| a (&& b (| c (^ d (& e f)))))");
  EXPECT_EQ(parsed("a << 1 < b"), "(< (<< a 1) b)");
  EXPECT_EQ(parsed("a ? b : c ? d : e"), "(? a b (? c d e))");
  EXPECT_EQ(parsed("!a == -b"), "(== (not a) (neg b))");
  EXPECT_EQ(parsed("*p->q[1].r"), "(deref (.r ([] (->q p) 1)))");
  EXPECT_EQ(parsed("&a.b"), "(addr (.b a))");
}

TEST(Parser, knows_its_own_functions_and_no_others) {
  EXPECT_EQ(
      parsed("contains(a->b, \"x\") && !starts_with(c, d)"),
      "(&& (contains " + parsed("a->b") + " " + parsed("\"x\"") + ") (not (starts_with c d)))");
  EXPECT_EQ(parsed("contains + len"), "(+ contains len)");
  for (const std::string text : {"contains(a)", "starts_with(a, b, c)", "f(a)", "len(a, b)"})
    EXPECT_NE(parsed(text).find("\n  " + text + "\n"), std::string::npos) << parsed(text);
}

TEST(Parser, tells_a_cast_from_a_bracket) {
  EXPECT_EQ(parsed("(struct foo *)p"), "(cast<struct foo *> p)");
  EXPECT_EQ(parsed("((struct foo *)p)->x"), "(->x (cast<struct foo *> p))");
  EXPECT_EQ(parsed("(unsigned long)a + 1"), "(+ (cast<unsigned long> a) 1)");
  EXPECT_EQ(parsed("(size_t) n"), "(cast<size_t> n)");
  EXPECT_EQ(parsed("(a) - b"), "(- a b)");
  EXPECT_EQ(parsed("(a)"), "a");
  EXPECT_EQ(parsed("(a * b)"), "(* a b)");
  EXPECT_EQ(parsed("(ns::thing *)p"), "(cast<ns::thing *> p)");
}

TEST(Parser, reads_numbers_and_text) {
  EXPECT_EQ(parsed("0x1F"), "31");
  EXPECT_EQ(parsed("017"), "15");
  EXPECT_EQ(parsed("0b101"), "5");
  EXPECT_EQ(parsed("18446744073709551615u"), "18446744073709551615");
  EXPECT_EQ(parsed("1.5e1"), "15.000000");
  EXPECT_EQ(parsed("0x1.8p1"), "3.000000");
  EXPECT_EQ(parsed("\"a\\n\\x41\\\"\""), "\"a\nA\"\"");
  EXPECT_EQ(parsed("'\\0' == $pid"), std::string("(== '") + '\0' + "' $pid)");
  EXPECT_EQ(parsed("len(s) > 3"), "(> (len s) 3)");
}

TEST(Parser, points_at_what_is_wrong) {
  EXPECT_EQ(parsed("a + "), "expression: it ends where a value should be\n  a + \n      ^");
  EXPECT_EQ(parsed("a = 1"), "expression: a probe cannot assign\n  a = 1\n    ^");
  EXPECT_EQ(parsed("f(1)"), "expression: a probe cannot call the target's functions\n  f(1)\n   ^");
  EXPECT_EQ(parsed("a @ b"), "expression: this character has no meaning here\n  a @ b\n    ^");
  EXPECT_EQ(parsed("(a"), "expression: it ends where ')' should be\n  (a\n    ^");
  EXPECT_EQ(parsed("1x"), "expression: this is not a number\n  1x\n  ^");
  EXPECT_EQ(parsed("\"abc"), "expression: this quote is never closed\n  \"abc\n  ^");
  EXPECT_EQ(parsed("a b"), "expression: unexpected 'b' where the end should be\n  a b\n    ^");
  EXPECT_EQ(parsed("99999999999999999999"),
            "expression: this number does not fit 64 bits\n  99999999999999999999\n  ^");
}

TEST(Parser, counts_columns_and_not_bytes) {
  EXPECT_EQ(parsed("\"\xc3\xa9\" @"),
            "expression: this character has no meaning here\n  \"\xc3\xa9\" @\n      ^");
}

TEST(Parser, bounds_what_it_takes) {
  EXPECT_NE(parsed(std::string(200, '(') + "a" + std::string(200, ')')).find("nested too deeply"),
            std::string::npos);
  std::string long_sum = "a";
  for (int i = 0; i < 1000; ++i) long_sum += "+a";
  EXPECT_NE(parsed(long_sum).find("too large"), std::string::npos);
}

std::string template_error(const std::string& text) {
  const auto result = parse_template(text);
  return result ? "" : result.error().reason + "\n" + result.error().message;
}

TEST(Template, splits_text_and_fields) {
  const auto result = parse_template("user {u->name} did {n:>8x} {id=a == b} {{x}}");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->texts, (std::vector<std::string>{"user ", " did ", " ", " {x}"}));
  ASSERT_EQ(result->fields.size(), 3U);
  EXPECT_EQ(result->fields[0].name, "u->name");
  EXPECT_EQ(result->fields[1].spec.align, '>');
  EXPECT_EQ(result->fields[1].spec.width, 8U);
  EXPECT_EQ(result->fields[1].spec.type, 'x');
  EXPECT_EQ(result->fields[2].name, "id");
  EXPECT_EQ(shown(*result->fields[2].expression), "(== a b)");
}

TEST(Template, takes_a_comparison_for_no_name) {
  const auto result = parse_template("{a==b} {c ? d : e} {c ? d : e:s} {x = y}");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->fields[0].name, "a==b");
  EXPECT_EQ(shown(*result->fields[1].expression), "(? c d e)");
  EXPECT_EQ(result->fields[2].spec.type, 's');
  EXPECT_EQ(result->fields[3].name, "x");
}

TEST(Template, points_at_what_is_wrong) {
  EXPECT_EQ(template_error("total {count"),
            "open-brace\ntemplate: this brace is never closed\n  total {count\n        ^");
  EXPECT_EQ(template_error("total {"),
            "open-brace\ntemplate: this brace is never closed\n  total {\n        ^");
  EXPECT_EQ(template_error("a {} b"),
            "empty-braces\ntemplate: there is no expression between these braces\n  a {} b\n    ^");
  EXPECT_EQ(template_error("a } b"),
            "stray-brace\ntemplate: this brace closes nothing\n  a } b\n    ^");
  EXPECT_EQ(template_error("{n:08q}"),
            "malformed-spec\ntemplate: unknown format spec\n  {n:08q}\n       ^");
  EXPECT_EQ(template_error("{a b}").substr(0, 12), "syntax-error");
  EXPECT_EQ(template_error("{n:.}").substr(0, 14), "malformed-spec");
  for (const std::string text : {"{n:hexa}", "{n:len2}", "{n:>8len}", "{n:Hex}", "{n:hex }"})
    EXPECT_EQ(template_error(text).substr(0, 14), "malformed-spec") << text;
}

}  // namespace
}  // namespace nohalt::language
