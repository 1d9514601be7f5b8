// Which service and version a target says it is, from its own environment and
// nothing else: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
//
// Source: OpenTelemetry specification, "Resource SDK" (environment variables;
// service.name in OTEL_SERVICE_NAME wins) and W3C Baggage for the encoding.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace nohalt::session {

struct ServiceIdentity {
  std::string service;  // empty: not said
  std::string version;
};

// `environment` is NUL-separated, as /proc/PID/environ.
[[nodiscard]] ServiceIdentity parse_service_identity(std::string_view environment);
// Empty where it cannot be read.
[[nodiscard]] ServiceIdentity read_service_identity(pid_t pid);

}  // namespace nohalt::session
