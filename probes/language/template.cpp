// One pass: plain text up to a brace, then `name=`, the expression as far as it
// goes, then `:spec` up to the closing brace.
#include "probes/language/template.h"

#include "probes/language/lexer.h"
#include "probes/language/parser.h"

namespace nohalt::language {

namespace {

constexpr std::uint32_t kMaxWidth = 256;
constexpr std::size_t kMaxFields = 64;

std::uint32_t skip_blanks(std::string_view text, std::uint32_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

// The end of `name=` at `at`, or `at` where there is none; `==` is a comparison.
std::uint32_t end_of_name(std::string_view text, std::uint32_t at, std::string& name) {
  std::uint32_t end = at;
  if (end >= text.size() || !is_name_start(text[end])) return at;
  while (end < text.size() && (is_name_part(text[end]) || text[end] == '.')) ++end;
  const std::uint32_t equals = skip_blanks(text, end);
  if (equals >= text.size() || text[equals] != '=') return at;
  if (equals + 1 < text.size() && text[equals + 1] == '=') return at;
  name = text.substr(at, end - at);
  return equals + 1;
}

std::size_t code_point_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// Digits at `at`; false where the number is above kMaxWidth.
bool read_number(std::string_view text, std::size_t& at, std::uint32_t& number) {
  number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + static_cast<std::uint32_t>(text[at] - '0');
    if (number > kMaxWidth) return false;
  }
  return true;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '^'; }

Result<FormatSpec> parse_spec(const Source& source, Span span) {
  FormatSpec spec;
  spec.span = span;
  const std::string_view text = source.at(span);
  std::size_t at = 0;
  const auto bad = [&](const std::string& problem) {
    const auto place = static_cast<std::uint32_t>(span.begin + at);
    return fail_at(
        source, {place, span.end}, "malformed-spec", problem,
        "A spec is [fill][<>^][+- ][#][0][width][.precision][type], such as 08x, .2f or hex; "
        "or len.");
  };
  if (!text.empty()) {
    const std::size_t fill = code_point_length(text[0]);
    if (text.size() > fill && is_align(text[fill])) {
      spec.fill = text.substr(0, fill);
      spec.align = text[fill];
      at = fill + 1;
    } else if (is_align(text[0])) {
      spec.align = text[0];
      at = 1;
    }
  }
  const auto take = [&](std::string_view any) {
    return at < text.size() && any.find(text[at]) != any.npos ? text[at++] : '\0';
  };
  spec.sign = take("+- ");
  spec.alternate = take("#") != '\0';
  spec.zero = take("0") != '\0';
  if (!read_number(text, at, spec.width)) return bad("a width is at most 256");
  if (take(".") != '\0') {
    const std::size_t digits = at;
    std::uint32_t precision = 0;
    if (!read_number(text, at, precision)) return bad("a precision is at most 256");
    if (at == digits) return bad("a precision is missing after '.'");
    spec.precision = static_cast<std::int32_t>(precision);
  }
  spec.is_hex = text.substr(at) == "hex";
  if (spec.is_hex) return spec;
  spec.type = take("xXobBdcseEfFgGaAp");
  if (at < text.size()) return bad("unknown format spec");
  return spec;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return std::string(text);
}

// As if len(expression) had been written.
void measure(TemplateField& field, std::string_view expression) {
  if (field.name == expression) field.name = "len(" + field.name + ")";
  auto length = std::make_unique<Syntax>();
  length->kind = SyntaxKind::kLength;
  length->span = length->mark = field.expression->span;
  length->operands.push_back(std::move(field.expression));
  field.expression = std::move(length);
}

// At the byte after '{'. Leaves `at` after the closing brace.
Result<TemplateField> parse_field(const Source& source, std::uint32_t& at) {
  const std::string_view text = source.text;
  const Span brace{at - 1, at};
  const auto open = [&] {
    return fail_at(source, brace, "open-brace", "this brace is never closed",
                   "Close it with }, or write {{ for a brace.");
  };
  TemplateField field;
  at = skip_blanks(text, at);
  if (at >= text.size()) return open();
  if (text[at] == '}') {
    return fail_at(source, brace, "empty-braces", "there is no expression between these braces",
                   "Name a value, as in {count}, or write {{}} for braces.");
  }
  at = skip_blanks(text, end_of_name(text, at, field.name));
  auto part = parse_expression_at(source, at);
  if (!part) {
    const bool closed = text.find('}', at) != text.npos;
    if (!closed && part.error().reason != "open-string") return open();
    return std::unexpected(std::move(part).error());
  }
  const std::string expression = trimmed(source.at({at, part->end}));
  if (field.name.empty()) field.name = expression;
  at = part->end;
  field.expression = std::move(part->root);
  if (at < text.size() && text[at] == ':') {
    const auto close = text.find('}', at);
    if (close == text.npos) return open();
    const Span spec{at + 1, static_cast<std::uint32_t>(close)};
    if (source.at(spec) == "len") {
      measure(field, expression);
    } else {
      NOHALT_TRY(field.spec, parse_spec(source, spec));
    }
    at = static_cast<std::uint32_t>(close);
  }
  if (at >= text.size()) return open();
  if (text[at] != '}') {
    return fail_at(source, {at, at + 1}, "syntax-error",
                   "unexpected text after the expression, where } or : should be");
  }
  ++at;
  return field;
}

}  // namespace

Result<MessageTemplate> parse_template(std::string text, std::string what) {
  MessageTemplate result;
  result.source = {std::move(what), std::move(text)};
  const std::string_view all = result.source.text;
  if (all.size() > kMaxSourceBytes) {
    return fail(ErrorCode::kUsage, "expression-too-large", "The template is longer than 16 KiB.",
                "Shorten it.");
  }
  std::string plain;
  for (std::uint32_t at = 0; at < all.size();) {
    const char c = all[at];
    const bool doubled = at + 1 < all.size() && all[at + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      plain += c;
      at += 2;
    } else if (c == '}') {
      return fail_at(result.source, {at, at + 1}, "stray-brace", "this brace closes nothing",
                     "Write }} for a brace.");
    } else if (c == '{') {
      if (result.fields.size() == kMaxFields) {
        return fail_at(result.source, {at, at + 1}, "expression-too-large",
                       "a template holds at most 64 expressions");
      }
      ++at;
      NOHALT_TRY(TemplateField field, parse_field(result.source, at));
      result.texts.push_back(std::move(plain));
      plain.clear();
      result.fields.push_back(std::move(field));
    } else {
      plain += c;
      ++at;
    }
  }
  result.texts.push_back(std::move(plain));
  return result;
}

}  // namespace nohalt::language
