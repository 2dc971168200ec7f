#include "bench/records/field_reader.hpp"

#include <charconv>
#include <cmath>

namespace detbench::records {

std::string join_path(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::string item_path(const std::string& path, std::size_t index) { return path + "[" + std::to_string(index) + "]"; }

std::string describe(const Json& json) {
  constexpr std::size_t shown = 60;
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    std::string quoted;
    for (const char c : text.substr(0, shown)) quoted += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return "'" + quoted + (text.size() > shown ? "...'" : "'");
  }
  if (json.is_number()) return "the number " + json.dump();
  if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
  if (json.is_array()) return "a list";
  if (json.is_object()) return "an object";
  return "null";
}

FieldReader::FieldReader(const Json& json, std::string path) : json_(&json), path_(std::move(path)) {
  if (!json.is_object())
    fail_at(path_.empty() ? "the file" : path_, "is " + describe(json) + "; it should be an object");
}

bool FieldReader::has(const char* key) const { return json_->is_object() && json_->contains(key); }

const Json* FieldReader::find(const char* key) {
  if (reason_) return nullptr;
  const auto found = json_->find(key);
  if (found != json_->end()) return &*found;
  fail(key, "is missing");
  return nullptr;
}

void FieldReader::fail(std::string_view key, const std::string& what) { fail_at(join_path(path_, key), what); }

void FieldReader::fail_at(const std::string& path, const std::string& what) {
  if (!reason_) reason_ = Reason{path + ": " + what, Reason::Kind::invalid_input};
}

void FieldReader::text(const char* key, std::string& out) {
  const Json* found = find(key);
  if (!found) return;
  if (!found->is_string()) return fail(key, "is " + describe(*found) + "; it should be a string");
  const auto& value = found->get_ref<const std::string&>();
  if (value.size() > max_text_bytes)
    return fail(
        key, "has " + std::to_string(value.size()) + " bytes; at most " + std::to_string(max_text_bytes) + " are read");
  out = value;
}

void FieldReader::flag(const char* key, bool& out) {
  const Json* found = find(key);
  if (!found) return;
  if (!found->is_boolean()) return fail(key, "is " + describe(*found) + "; it should be true or false");
  out = found->get<bool>();
}

void FieldReader::flag(const char* key, std::optional<bool>& out) {
  const Json* found = find(key);
  if (!found || found->is_null()) return;
  bool value = false;
  flag(key, value);
  out = value;
}

void FieldReader::digest(const char* key, std::string& out) {
  const Json* found = find(key);
  if (!found) return;
  if (found->is_string() &&
      (found->get_ref<const std::string&>().empty() || parse_digest(found->get_ref<const std::string&>()))) {
    out = found->get_ref<const std::string&>();
    return;
  }
  fail(key,
       "is " + describe(*found) + "; it should be 32 lower-case hexadecimal digits, or empty where there is no digest");
}

void FieldReader::bits(const char* key, std::uint64_t& out) {
  const Json* found = find(key);
  if (!found) return;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (text.size() > 2 && text.size() <= 18 && text.compare(0, 2, "0x") == 0) {
      const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), out, 16);
      if (error == std::errc{} && end == text.data() + text.size()) return;
    }
  }
  fail(key, "is " + describe(*found) + "; it should be a bit pattern like '0x3f800000'");
}

void FieldReader::number(const char* key, double& out, double low, double high) {
  const Json* found = find(key);
  if (!found) return;
  const double value = found->is_number() ? found->get<double>() : NAN;
  if (!(value >= low && value <= high)) {
    std::string wanted = "a number";
    if (low == 0 && high >= std::numeric_limits<double>::max())
      wanted += " that is not negative";
    else
      wanted += " from " + Json(low).dump() + " to " + Json(high).dump();
    return fail(key, "is " + describe(*found) + "; it should be " + wanted);
  }
  out = value;
}

void FieldReader::number(const char* key, std::optional<double>& out, double low, double high) {
  const Json* found = find(key);
  if (!found || found->is_null()) return;
  double value = 0;
  number(key, value, low, high);
  out = value;
}

void FieldReader::number_or_nan(const char* key, double& out) {
  const Json* found = find(key);
  if (!found) return;
  if (found->is_null()) {
    out = NAN;
    return;
  }
  constexpr double most = std::numeric_limits<double>::max();
  number(key, out, -most, most);
}

void FieldReader::numbers_or_nan(const char* key, std::vector<double>& out) {
  each(key, [&](const Json& item, const std::string& path) {
    if (!item.is_number() && !item.is_null())
      return fail_at(path, "is " + describe(item) + "; it should be a number or null");
    out.push_back(item.is_null() ? NAN : item.get<double>());
  });
}

void FieldReader::texts(const char* key, std::vector<std::string>& out) {
  each(key, [&](const Json& item, const std::string& path) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > max_text_bytes)
      return fail_at(path, "is " + describe(item) + "; it should be a string of at most " +
                               std::to_string(max_text_bytes) + " bytes");
    out.push_back(item.get<std::string>());
  });
}

void FieldReader::texts(const char* key, std::map<std::string, std::string>& out) {
  const Json* found = find(key);
  if (!found) return;
  if (!found->is_object()) return fail(key, "is " + describe(*found) + "; it should be an object of strings");
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > max_text_bytes)
      return fail(join_path(key, name.substr(0, 60)), "is " + describe(value) + "; it should be a string of at most " +
                                                          std::to_string(max_text_bytes) + " bytes");
    out.emplace(name, value.get<std::string>());
  }
}

}  // namespace detbench::records
