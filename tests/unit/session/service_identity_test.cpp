// The service and version that a record carries come from the target's own
// environment, as OpenTelemetry spells it.
#include "src/session/service_identity.h"

#include <gtest/gtest.h>

namespace nohalt::session {
namespace {

using namespace std::string_view_literals;

TEST(ServiceIdentity, NameVariableWinsOverAttributes) {
  const auto identity = parse_service_identity(
      "PATH=/bin\0OTEL_RESOURCE_ATTRIBUTES=service.name=a,service.version=1.2\0"
      "OTEL_SERVICE_NAME=orders\0"sv);
  EXPECT_EQ(identity.service, "orders");
  EXPECT_EQ(identity.version, "1.2");
}

TEST(ServiceIdentity, AttributesArePercentDecoded) {
  const auto identity = parse_service_identity(
      "OTEL_RESOURCE_ATTRIBUTES= service.name = my%20shop , service.version=2%2C1%zz\0"sv);
  EXPECT_EQ(identity.service, "my shop");
  EXPECT_EQ(identity.version, "2,1%zz");
}

TEST(ServiceIdentity, OtherVariablesSayNothing) {
  const auto identity =
      parse_service_identity("XOTEL_SERVICE_NAME=a\0OTEL_SERVICE_NAMES=b\0SERVICE_NAME=c"sv);
  EXPECT_EQ(identity.service, "");
  EXPECT_EQ(identity.version, "");
}

}  // namespace
}  // namespace nohalt::session
