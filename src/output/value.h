// One captured value as it is shown: what it is called, of which type, how sure
// it is, and the value itself as JSON text.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nohalt::output {

struct Value {
  std::string name;  // {name=expr}, or the expression
  std::string type;
  std::string state = "exact";  // exact truncated optimized_out unreadable redacted unavailable
  std::string why;              // where it is not exact
  // A JSON text, in a snapshot with whatever lies inside told apart by type and
  // kind in turn: "42", "\"abc\"", "{\"x\":1}". Numbers that JSON readers may not
  // hold exactly are strings already. Empty: there is no value to show.
  std::string json;
  bool bytes_escaped = false;  // strings in it were not UTF-8 and have \xNN
  bool in_message = false;     // the message shows it; the text form does not repeat it
  std::string role = {};       // snapshot: argument, local or capture
  std::string kind = {};       // snapshot: what `json` is: integer, text, struct, ...
  std::string symbol =
      {};  // of a pointer to code: the function that begins there; of errno its name
  std::string declared_type = {};          // of an object of another class than its pointer says
  std::string dynamic_type = {};           // its class, where only its declared part is shown
  std::uint64_t distance = 0;              // from its beginning to where it is pointed to
  std::optional<std::uint64_t> size = {};  // of a container: how many it holds, shown or not
};

}  // namespace nohalt::output
