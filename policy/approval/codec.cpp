// Each struct says its members once, in members.h; a Writer and a Reader go over
// them. A Reader wants every member, of its type, and remembers where one is not.
#include "policy/approval/codec.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "policy/approval/members.h"

namespace nohalt::policy {

namespace {

using nlohmann::json;

template <class T>
json to_json(const T& value);
template <class T>
bool from_json(const json& in, T& value);

struct Writer {
  json out = json::object();

  template <class T>
  void operator()(const char* name, const T& value) {
    out[name] = to_json(value);
  }
};

struct Reader {
  const json& in;
  bool is_whole = true;

  template <class T>
  void operator()(const char* name, T& value) {
    const auto found = in.find(name);
    if (found == in.end() || !from_json(*found, value)) is_whole = false;
  }
};

template <class T>
inline constexpr bool kIsDuration = false;
template <class Rep, class Period>
inline constexpr bool kIsDuration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;

template <class T>
json to_json(const T& value) {
  if constexpr (kIsDuration<T>) {
    return value.count();
  } else if constexpr (std::is_same_v<T, Right>) {
    return right_name(value);
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<int>(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (kIsOptional<T>) {
    return value ? to_json(*value) : json(nullptr);
  } else if constexpr (kIsVector<T> || kIsArray<T>) {
    json out = json::array();
    for (const auto& one : value) out.push_back(to_json(one));
    return out;
  } else {
    Writer writer;
    Members<T>::go(writer, value);
    return writer.out;
  }
}

template <class T>
bool whole_number(const json& in, T& value) {
  if (in.is_number_unsigned()) {
    const auto number = in.get<std::uint64_t>();
    value = static_cast<T>(number);
    return std::in_range<T>(number);
  }
  const auto number = in.is_number_integer() ? in.get<std::int64_t>() : 0;
  value = static_cast<T>(number);
  return in.is_number_integer() && std::in_range<T>(number);
}

// The largest of each enumeration of which a file holds the number.
constexpr int largest(SourceUse::Kind) { return static_cast<int>(SourceUse::Kind::kType); }
constexpr int largest(RequestState) { return static_cast<int>(RequestState::kExpired); }

template <class T>
bool items_from(const json& in, T& value) {
  if (!in.is_array()) return false;
  if constexpr (kIsArray<T>) {
    if (in.size() != value.size()) return false;
  } else {
    value.resize(in.size());
  }
  for (std::size_t i = 0; i < in.size(); ++i)
    if (!from_json(in[i], value[i])) return false;
  return true;
}

template <class T>
bool enum_from(const json& in, T& value) {
  if constexpr (std::is_same_v<T, Right>) {
    const auto right = in.is_string() ? right_named(in.get<std::string>()) : std::nullopt;
    if (right) value = *right;
    return right.has_value();
  } else {
    int number = 0;
    const bool fits = whole_number(in, number) && number >= 0 && number <= largest(T{});
    if (fits) value = static_cast<T>(number);
    return fits;
  }
}

template <class T>
bool from_json(const json& in, T& value) {
  if constexpr (kIsDuration<T>) {
    typename T::rep count{};
    const bool fits = whole_number(in, count);
    value = T{count};
    return fits;
  } else if constexpr (std::is_enum_v<T>) {
    return enum_from(in, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (in.is_boolean()) value = in.get<bool>();
    return in.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    return whole_number(in, value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (in.is_number()) value = in.get<T>();
    return in.is_number();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (in.is_string()) value = in.get<std::string>();
    return in.is_string();
  } else if constexpr (kIsOptional<T>) {
    return in.is_null() || from_json(in, value.emplace());
  } else if constexpr (kIsVector<T> || kIsArray<T>) {
    return items_from(in, value);
  } else {
    if (!in.is_object()) return false;
    Reader reader{in};
    Members<T>::go(reader, value);
    return reader.is_whole;
  }
}

template <class T>
std::string text_of(const T& value) {
  return to_json(value).dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class T>
std::optional<T> value_of(std::string_view text) {
  const json in = json::parse(text, nullptr, false);
  T value;
  if (in.is_discarded() || !from_json(in, value)) return std::nullopt;
  return value;
}

}  // namespace

std::string encode(const ApprovalRequest& request) { return text_of(request); }
std::string encode(const Approval& approval) { return text_of(approval); }
std::string encode(const Closing& closing) { return text_of(closing); }
std::string encode(const BoundRequest& bound) { return text_of(bound); }

std::optional<ApprovalRequest> decode_request(std::string_view text) {
  auto request = value_of<ApprovalRequest>(text);
  if (request && request->digest != binding_digest(request->bound)) return std::nullopt;
  return request;
}
std::optional<Approval> decode_approval(std::string_view text) { return value_of<Approval>(text); }
std::optional<Closing> decode_closing(std::string_view text) { return value_of<Closing>(text); }

std::vector<std::string> differing(const BoundRequest& one, const BoundRequest& other) {
  const json first = json::parse(encode(one));
  const json second = json::parse(encode(other));
  std::vector<std::string> names;
  for (const auto& [name, value] : first.items())
    if (second.at(name) != value) names.push_back(name);
  return names;
}

}  // namespace nohalt::policy
