// Text that nohalt did not write must not drive a terminal, split a line or
// reorder what is read.
#include "src/base/escape.h"

#include <gtest/gtest.h>

namespace nohalt {
namespace {

TEST(Escape, KeepsPlainTextOfAnyLanguage) {
  for (const char* text : {"", "order 17", "\xc3\xa9t\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac",
                           "\xf0\x9f\x98\x80", "a\"b'c"}) {
    const EscapedText escaped = escape_untrusted(text);
    EXPECT_EQ(escaped.text, text);
    EXPECT_TRUE(escaped.was_valid_utf8);
  }
}

TEST(Escape, WritesOutWhatDrivesATerminalOrReordersText) {
  struct Case {
    std::string_view text;
    const char* escaped;
  };
  for (const Case& c : {Case{"a\nb\tc\rd", "a\\nb\\tc\\rd"},
                        {"\x1b[31m", "\\x1b[31m"},
                        {std::string_view("a\0b", 3), "a\\x00b"},
                        {"\x7f", "\\x7f"},
                        {"\xc2\x9b"
                         "31m",
                         "\\u{9b}31m"},
                        {"\xe2\x80\xae"
                         "evil",
                         "\\u{202e}evil"},
                        {"\xe2\x81\xa6", "\\u{2066}"},
                        {"\xe2\x80\xa8", "\\u{2028}"},
                        {"\xef\xbb\xbf", "\\u{feff}"},
                        {"C:\\n", "C:\\\\n"}}) {
    EXPECT_EQ(escape_untrusted(c.text).text, c.escaped);
    EXPECT_TRUE(escape_untrusted(c.text).was_valid_utf8);
  }
}

TEST(Escape, WritesBytesThatAreNoUtf8AsHexAndSaysSo) {
  for (const std::string_view text : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xe2\x80", "\x80", "\xf5\x80\x80\x80"}) {
    const EscapedText escaped = escape_untrusted(text);
    EXPECT_FALSE(escaped.was_valid_utf8);
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(escaped.text.substr(0, 2), "\\x");
  }
  EXPECT_EQ(escape_untrusted("a\xff"
                             "b")
                .text,
            "a\\xffb");
}

TEST(Escape, IsUnambiguous) {
  EXPECT_NE(escape_untrusted("\n").text, escape_untrusted("\\n").text);
  EXPECT_NE(escape_untrusted("\xff").text, escape_untrusted("\\xff").text);
}

TEST(Escape, PrintableTextComesOutAsItWas) {
  const std::string once = make_printable("a\nb\x1b \xe2\x80\xae \xff c:\\d");
  EXPECT_EQ(once, "a\\nb\\x1b \\u{202e} \\xff c:\\d");
  EXPECT_EQ(make_printable(once), once);
}

TEST(Escape, InJsonStringsKeepTheirMeaning) {
  EXPECT_EQ(escape_in_json("{\"a\":\"\xe2\x80\xae\xf3\xa0\x80\x81\x7f\xc3\xa9\"}"),
            "{\"a\":\"\\u202e\\udb40\\udc01\\u007f\xc3\xa9\"}");
}

}  // namespace
}  // namespace nohalt
