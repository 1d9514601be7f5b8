// Two variables, one of which is a percent-encoded list of key=value pairs.
#include "src/session/service_identity.h"

#include "src/base/file.h"

namespace nohalt::session {

namespace {

std::string_view variable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    const std::string_view entry = environment.substr(0, end);
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
    if (end == std::string_view::npos) break;
    environment.remove_prefix(end + 1);
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

ServiceIdentity parse_service_identity(std::string_view environment) {
  ServiceIdentity identity;
  std::string_view attributes = variable(environment, "OTEL_RESOURCE_ATTRIBUTES");
  while (!attributes.empty()) {
    const std::size_t comma = attributes.find(',');
    const std::string_view pair = attributes.substr(0, comma);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) {
      const std::string_view key = trimmed(pair.substr(0, equals));
      std::string value = percent_decode(trimmed(pair.substr(equals + 1)));
      if (key == "service.name")
        identity.service = std::move(value);
      else if (key == "service.version")
        identity.version = std::move(value);
    }
    if (comma == std::string_view::npos) break;
    attributes.remove_prefix(comma + 1);
  }
  if (const std::string_view name = variable(environment, "OTEL_SERVICE_NAME"); !name.empty())
    identity.service = std::string(name);
  return identity;
}

ServiceIdentity read_service_identity(pid_t pid) {
  const Result<std::string> environment = read_file("/proc/" + std::to_string(pid) + "/environ");
  return environment ? parse_service_identity(*environment) : ServiceIdentity{};
}

}  // namespace nohalt::session
