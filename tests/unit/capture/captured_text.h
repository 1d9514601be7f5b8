// What a person would see of a stopped process's values: bound, captured by the interpreter,
// decoded.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/records/values/decode.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::test {

class CapturedText : public testing::Test {
 protected:
  explicit CapturedText(const StoppedSubject& stopped) : stopped_(stopped) {}
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }

  std::string captured(const std::string& text, capture::Redaction hidden = {}) {
    const auto bound = language::bind_expression(text, stopped_.scope(), {});
    if (!bound) return bound.error().reason;
    const auto built =
        capture::build_capture({{*bound}, nullptr, {}, stopped_.bias(), std::move(hidden)});
    if (!built) return built.error().message;
    run_ = stopped_.run(built->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    std::string shown = values::to_text(values::decode(built->layout, run_.body, {})[0].value);
    // Addresses are another each time.
    for (std::size_t at = 0; (at = shown.find("0x", at)) != shown.npos;)
      shown.erase(at, shown.find_first_of(" ),}", at) - at + 1);
    return shown;
  }

  const StoppedSubject& stopped_;
  StoppedSubject::Run run_;
};

}  // namespace nohalt::test
