// Reads the members of a JSON object into a struct, with one sticky reason: the first thing that is wrong, as
// "path.key: what is wrong; what would be right". After that every call does nothing, so that readers are plain lists.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench::records {

inline constexpr std::size_t max_text_bytes = 1 << 16;  ///< of one string in a file
inline constexpr std::size_t max_list_items = 1 << 22;  ///< of one list in a file

std::string join_path(const std::string& path, std::string_view key);
std::string item_path(const std::string& path, std::size_t index);
/// "a string", "the number 3", "null", ...: what stands in a file, for reasons.
std::string describe(const Json& json);

/// The bound of numbers that have none of their own: every finite one will do.
inline constexpr double largest_number = std::numeric_limits<double>::max();

class FieldReader {
 public:
  FieldReader(const Json& json, std::string path);

  void text(const char* key, std::string& out);
  void flag(const char* key, bool& out);
  void flag(const char* key, std::optional<bool>& out);  ///< null: nullopt
  /// 32 lower-case hexadecimal digits, or empty where there is none.
  void digest(const char* key, std::string& out);
  /// "0x" and hexadecimal digits: the bit pattern of an element.
  void bits(const char* key, std::uint64_t& out);
  void number(const char* key, double& out, double low, double high);
  void number(const char* key, std::optional<double>& out, double low, double high);
  /// For values that a wrong or diverging run makes infinite or NaN: null in the file, NaN in the struct.
  void number_or_nan(const char* key, double& out);
  void numbers_or_nan(const char* key, std::vector<double>& out);
  void texts(const char* key, std::vector<std::string>& out);
  void texts(const char* key, std::map<std::string, std::string>& out);

  template <class T>
  void whole(const char* key, T& out) {
    if (const Json* found = find(key)) whole_at(*found, key, out);
  }
  template <class T>
  void whole(const char* key, std::optional<T>& out) {
    const Json* found = find(key);
    if (!found || found->is_null()) return;
    T value = 0;
    whole_at(*found, key, value);
    out = value;
  }

  /// A word out of a fixed list.
  template <class E, std::size_t N>
  void word(const char* key, E& out, const std::array<E, N>& all) {
    if (const Json* found = find(key)) word_at(*found, join_path(path_, key), out, all);
  }
  template <class E, std::size_t N>
  void words(const char* key, std::vector<E>& out, const std::array<E, N>& all) {
    each(key, [&](const Json& item, const std::string& path) {
      E value{};
      word_at(item, path, value, all);
      out.push_back(value);
    });
  }

  template <class T>
  using Read = Result<T> (*)(const Json&, const std::string&);
  template <class T>
  void object(const char* key, T& out, Read<T> read) {
    if (const Json* found = find(key)) take(read(*found, join_path(path_, key)), out);
  }
  template <class T>
  void object(const char* key, std::optional<T>& out, Read<T> read) {
    const Json* found = find(key);
    if (!found || found->is_null()) return;
    T value{};
    take(read(*found, join_path(path_, key)), value);
    out = std::move(value);
  }
  template <class T>
  void objects(const char* key, std::vector<T>& out, Read<T> read) {
    each(key, [&](const Json& item, const std::string& path) {
      T value{};
      take(read(item, path), value);
      out.push_back(std::move(value));
    });
  }

  /// Whether the member is there: for keys that came after files of this schema had been written.
  bool has(const char* key) const;
  /// The member, or nullptr when it is missing (which is then the reason) or something was wrong before.
  const Json* find(const char* key);
  void fail(std::string_view key, const std::string& what);
  const std::string& path() const { return path_; }

  template <class T>
  Result<T> finish(T value) const {
    if (reason_) return tl::unexpected<Reason>(*reason_);
    return value;
  }

 private:
  void fail_at(const std::string& path, const std::string& what);

  template <class T>
  void take(Result<T> result, T& out) {
    if (result)
      out = std::move(*result);
    else if (!reason_)
      reason_ = result.error();
  }

  template <class F>
  void each(const char* key, F visit) {
    const Json* list = find(key);
    if (!list) return;
    if (!list->is_array()) return fail(key, "is " + describe(*list) + "; it should be a list");
    if (list->size() > max_list_items)
      return fail(key, "has " + std::to_string(list->size()) + " items; that is too long");
    for (std::size_t i = 0; i < list->size() && !reason_; ++i) visit((*list)[i], item_path(join_path(path_, key), i));
  }

  template <class T>
  void whole_at(const Json& json, const char* key, T& out) {
    constexpr auto high = std::numeric_limits<T>::max();
    constexpr auto low = std::numeric_limits<T>::min();
    bool fits = false;
    if (json.is_number_unsigned()) {
      fits = json.get<std::uint64_t>() <= static_cast<std::uint64_t>(high);
    } else if (json.is_number_integer()) {
      const auto value = json.get<std::int64_t>();
      fits = value < 0 ? low < 0 && value >= static_cast<std::int64_t>(low)
                       : static_cast<std::uint64_t>(value) <= static_cast<std::uint64_t>(high);
    }
    if (!fits)
      return fail(key, "is " + describe(json) + "; it should be a whole number from " + std::to_string(low) + " to " +
                           std::to_string(high));
    out = json.get<T>();
  }

  template <class E, std::size_t N>
  void word_at(const Json& json, const std::string& path, E& out, const std::array<E, N>& all) {
    if (json.is_string())
      for (const E value : all)
        if (json.get_ref<const std::string&>() == to_text(value)) {
          out = value;
          return;
        }
    std::string known;
    for (const E value : all) known += (known.empty() ? "" : ", ") + std::string(to_text(value));
    fail_at(path, "is " + describe(json) + "; it should be one of " + known);
  }

  const Json* json_;
  std::string path_;
  std::optional<Reason> reason_;
};

}  // namespace detbench::records
