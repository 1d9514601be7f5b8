// Taking a name apart is most of it. Capitals are ambiguous where a run of
// them meets small letters: APIKey is API+Key, but PASSWORDhash is
// PASSWORD+hash. Both readings are tried, and either may match.
#include "policy/redaction/names.h"

namespace nohalt::policy {

namespace {

enum class Kind { kLower, kUpper, kOther };

// Where a run of capitals followed by a small letter is cut.
enum class Reading { kLastCapitalStartsWord, kCapitalsAreAWord };

Kind kind_of(char c) {
  if (c >= 'A' && c <= 'Z') return Kind::kUpper;
  // Letters beyond ASCII are never a boundary, so that they cannot split a word.
  if ((c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80) return Kind::kLower;
  return Kind::kOther;
}

// True where a word that holds text[i - 1] ends before text[i].
bool starts_word(std::string_view text, std::size_t i, Reading reading) {
  const Kind before = kind_of(text[i - 1]);
  const Kind here = kind_of(text[i]);
  if (before == Kind::kLower && here == Kind::kUpper) return true;
  const bool in_capitals = before == Kind::kUpper;
  if (reading == Reading::kLastCapitalStartsWord)
    return in_capitals && here == Kind::kUpper && i + 1 < text.size() &&
           kind_of(text[i + 1]) == Kind::kLower;
  return in_capitals && here == Kind::kLower && i >= 2 && kind_of(text[i - 2]) == Kind::kUpper;
}

std::vector<std::string> words_of(std::string_view text, Reading reading) {
  std::vector<std::string> words;
  bool open = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (kind_of(c) == Kind::kOther) {
      open = false;
      continue;
    }
    if (!open || starts_word(text, i, reading)) words.emplace_back();
    open = true;
    words.back() += kind_of(c) == Kind::kUpper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

// A plural counts as its singular.
bool spells(std::string_view run, std::string_view joined) {
  return run == joined ||
         (run.size() == joined.size() + 1 && run.ends_with('s') && run.starts_with(joined));
}

bool any_run_spells(const std::vector<std::string>& words, std::string_view joined) {
  for (std::size_t first = 0; first < words.size(); ++first) {
    std::string run;
    for (std::size_t last = first; last < words.size(); ++last) {
      run += words[last];
      if (spells(run, joined)) return true;
      if (run.size() > joined.size()) break;
    }
  }
  return false;
}

}  // namespace

NameWords::NameWords(std::string_view name)
    : one_(words_of(name, Reading::kLastCapitalStartsWord)),
      other_(words_of(name, Reading::kCapitalsAreAWord)) {}

bool NameWords::spell(std::string_view joined) const {
  return any_run_spells(one_, joined) || any_run_spells(other_, joined);
}

}  // namespace nohalt::policy
