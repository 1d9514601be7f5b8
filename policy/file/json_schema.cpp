// The shape as JSON Schema (draft 2020-12), key for key.
#include <nlohmann/json.hpp>

#include "policy/file/shape.h"

namespace nohalt::policy {

namespace {

using Json = nlohmann::ordered_json;

Json schema_of(const Shape& shape);

Json text_schema(const Shape& shape) {
  Json schema{{"type", "string"}};
  if (!shape.words.empty()) schema["enum"] = shape.words;
  if (!shape.pattern.empty()) schema["pattern"] = "^(?:" + std::string{shape.pattern} + ")$";
  return schema;
}

Json number_schema(const Shape& shape) {
  return {{"type", "integer"}, {"minimum", shape.least}, {"maximum", shape.most}};
}

Json map_schema(const Shape& shape) {
  Json schema{{"type", "object"}, {"additionalProperties", false}};
  Json required = Json::array();
  for (const Key& key : shape.keys) {
    Json value = schema_of(*key.shape);
    if (!key.about.empty()) value["description"] = key.about;
    schema["properties"][std::string{key.name}] = std::move(value);
    if (key.is_required) required.push_back(key.name);
  }
  if (!required.empty()) schema["required"] = std::move(required);
  for (const std::string_view key : shape.at_least_one)
    schema["anyOf"].push_back({{"required", Json::array({key})}});
  return schema;
}

Json schema_of(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::kMap:
      return map_schema(shape);
    case Shape::Kind::kList:
      return {{"type", "array"}, {"minItems", 1}, {"items", schema_of(*shape.item)}};
    case Shape::Kind::kText:
      return text_schema(shape);
    case Shape::Kind::kNumber:
      return number_schema(shape);
    case Shape::Kind::kTruth:
      return {{"type", "boolean"}};
    case Shape::Kind::kTextOrNumber:
      return {{"anyOf", Json::array({text_schema(shape), number_schema(shape)})}};
    case Shape::Kind::kTextOrMap:
      return {{"anyOf", Json::array({text_schema(shape), map_schema(shape)})}};
  }
  return {};
}

}  // namespace

std::string json_schema(const Shape& shape, std::string_view title, std::string_view about) {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", title},
              {"description", about}};
  schema.update(schema_of(shape));
  return schema.dump(2) + "\n";
}

}  // namespace nohalt::policy
