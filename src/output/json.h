// Building one JSON object with a stable order of names, for the .cpp files of
// this module only (nlohmann's types stay out of its public headers).
//
// Texts are written exactly. Where one of an object's own texts is not UTF-8,
// all of them are written escaped and the object says so, so that a reader
// knows which form it reads.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nohalt::output {

using Json = nlohmann::ordered_json;

// Exact, or as text where a JSON reader may not hold it exactly.
[[nodiscard]] Json json_number(std::uint64_t value);
[[nodiscard]] std::string hex_address(std::uint64_t value);

class ObjectBuilder {
 public:
  // Absent where empty.
  void text(std::string_view key, std::string_view text);
  void texts(std::string_view key, const std::vector<std::string>& texts);
  // Absent where zero.
  void number_if(std::string_view key, std::uint64_t value);
  void number(std::string_view key, std::uint64_t value);
  void set(std::string_view key, Json value);
  // Absent where it is an empty object or array.
  void set_if(std::string_view key, Json value);

  [[nodiscard]] Json finish();

 private:
  struct Entry {
    std::string key;
    Json value;
    bool is_text = false;  // a string or an array of strings, not escaped yet
  };
  std::vector<Entry> entries_;
};

// One line, newline included, with nothing in it that drives a terminal.
[[nodiscard]] std::string json_line(const Json& object);

}  // namespace nohalt::output
