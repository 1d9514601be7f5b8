// As much of HTTP/1.1 as the service speaks: requests with Content-Length over
// kept-alive connections (RFC 9112).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace orders {

struct Request {
  std::string method;
  std::string path;
  std::string body;
};

struct Response {
  int status = 200;
  std::string body;
};

enum class ParseState { kNeedMore, kComplete, kBad };

// Takes one request off the front of the buffer.
ParseState take_request(std::string& buffer, Request& request);

std::string serialise(const Response& response);

// The value of a key in "a=1&b=2"; nothing is unescaped.
std::optional<std::string_view> form_value(std::string_view form, std::string_view key);

}  // namespace orders
