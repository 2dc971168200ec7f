// The sums and dot products that Python's rational arithmetic made (tests/data/reduction/exact_sums.json).
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/reduction/summands.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench::testing {

struct RationalCase {
  std::string name;
  DataType stored, accumulator;
  bool is_product;
  std::vector<std::uint64_t> x, y;  ///< bits
  std::uint64_t sum;                ///< bits of the exact sum rounded once
  double naive, error_ulp, relative_error, condition;  ///< of adding one after the other; NaN where there is none
};

inline std::uint64_t hexadecimal(const nlohmann::json& text) { return std::stoull(text.get<std::string>(), nullptr, 16); }

template <class S>
S stored_value(std::uint64_t bits) {
  S value;
  const auto narrow = static_cast<std::conditional_t<sizeof(S) == 8, std::uint64_t, std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint16_t>>>(bits);
  static_assert(sizeof narrow == sizeof value);
  __builtin_memcpy(&value, &narrow, sizeof value);
  return value;
}

inline std::vector<RationalCase> rational_cases() {
  std::ifstream file(DETBENCH_EXACT_SUMS);
  const auto json = nlohmann::json::parse(file);
  std::vector<RationalCase> cases;
  for (const auto& item : json.at("cases")) {
    RationalCase c;
    c.name = item.at("stored").get<std::string>() + (item.contains("y") ? " dot: " : " sum: ") + item.at("name").get<std::string>();
    c.stored = *parse_data_type(item.at("stored").get<std::string>());
    c.accumulator = *parse_data_type(item.at("accumulator").get<std::string>());
    c.is_product = item.contains("y");
    for (const auto& bits : item.at("x")) c.x.push_back(hexadecimal(bits));
    if (c.is_product)
      for (const auto& bits : item.at("y")) c.y.push_back(hexadecimal(bits));
    c.sum = hexadecimal(item.at("sum"));
    const auto number = [&](const char* key) { return item.at(key).is_null() ? std::nan("") : item.at(key).get<double>(); };
    c.naive = item.at("naive").is_null()         ? std::nan("")
              : c.accumulator == DataType::f64 ? stored_value<double>(hexadecimal(item.at("naive")))
                                               : stored_value<float>(hexadecimal(item.at("naive")));
    c.error_ulp = number("error_ulp");
    c.relative_error = number("relative_error");
    c.condition = number("condition");
    cases.push_back(std::move(c));
  }
  return cases;
}

template <class S>
std::vector<S> stored_values(const std::vector<std::uint64_t>& bits) {
  std::vector<S> values;
  for (const auto b : bits) values.push_back(stored_value<S>(b));
  return values;
}

/// Calls f(source, n), the source being Elements or Products of the stored type.
template <class S, class F>
void with_source_of(const RationalCase& c, F&& f) {
  const auto x = stored_values<S>(c.x), y = stored_values<S>(c.y);
  const auto n = static_cast<std::int64_t>(x.size());
  if (c.is_product)
    f(reduction::Products<S>{x.data(), y.data()}, n);
  else
    f(reduction::Elements<S>{x.data()}, n);
}
template <class F>
void with_source(const RationalCase& c, F&& f) {
  switch (c.stored) {
    case DataType::f64: return with_source_of<double>(c, f);
    case DataType::f16: return with_source_of<reduction::F16Bits>(c, f);
    case DataType::bf16: return with_source_of<reduction::Bf16Bits>(c, f);
    default: return with_source_of<float>(c, f);
  }
}

}  // namespace detbench::testing
