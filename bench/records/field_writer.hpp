// Parts of JSON that the files of a result share when they write: the counterpart of field_reader.hpp. to_json() of each
// type is found by its namespace.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench::records::write {

/// JSON has no NaN and no infinity: what is not finite is unknown.
inline Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
inline Json finite_or_null(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }

template <class T>
Json object_or_null(const std::optional<T>& value) {
  return value ? to_json(*value) : Json(nullptr);
}

template <class T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(to_json(value));
  return list;
}

}  // namespace detbench::records::write
