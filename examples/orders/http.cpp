// Requests in, responses out.
#include "examples/orders/http.h"

#include <charconv>

namespace orders {
namespace {
constexpr std::size_t kMaxHead = 8 * 1024;
constexpr std::size_t kMaxBody = 64 * 1024;

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 409:
      return "Conflict";
    default:
      return "Bad Request";
  }
}

// The Content-Length of a head; 0 where there is none, nothing where it is bad.
std::optional<std::size_t> content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  const auto at = head.find(kName);
  if (at == std::string_view::npos) return 0;
  std::size_t length = 0;
  const char* begin = head.data() + at + kName.size();
  const auto parsed = std::from_chars(begin, head.data() + head.size(), length);
  if (parsed.ec != std::errc{} || length > kMaxBody) return std::nullopt;
  return length;
}

}  // namespace

ParseState take_request(std::string& buffer, Request& request) {
  const auto end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) {
    return buffer.size() > kMaxHead ? ParseState::kBad : ParseState::kNeedMore;
  }
  const std::string_view head = std::string_view(buffer).substr(0, end);
  const auto length = content_length(head);
  const auto method_end = head.find(' ');
  if (!length || method_end == std::string_view::npos) return ParseState::kBad;
  const auto path_end = head.find(' ', method_end + 1);
  if (path_end == std::string_view::npos) return ParseState::kBad;
  if (buffer.size() < end + 4 + *length) return ParseState::kNeedMore;
  request.method = head.substr(0, method_end);
  request.path = head.substr(method_end + 1, path_end - method_end - 1);
  request.body = buffer.substr(end + 4, *length);
  buffer.erase(0, end + 4 + *length);
  return ParseState::kComplete;
}

std::string serialise(const Response& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  text += reason_phrase(response.status);
  text += "\r\nContent-Type: application/json\r\nContent-Length: ";
  text += std::to_string(response.body.size());
  text += "\r\n\r\n";
  text += response.body;
  return text;
}

std::optional<std::string_view> form_value(std::string_view form, std::string_view key) {
  while (!form.empty()) {
    const auto pair = form.substr(0, form.find('&'));
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=') {
      return pair.substr(key.size() + 1);
    }
    form.remove_prefix(std::min(form.size(), pair.size() + 1));
  }
  return std::nullopt;
}

}  // namespace orders
