#include "kernels/problem.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace detbench {
namespace {

constexpr std::string_view grammar = "op/problem/types/layout/provider:algorithm[@option=value,...]";

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// One part of a name: letters, digits and the few marks the grammar leaves free.
bool valid_part(std::string_view text, std::string_view extra) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_plain(c) || extra.find(c) != std::string_view::npos;
  });
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(mark);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

tl::unexpected<Reason> malformed(std::string_view id, std::string_view what) {
  return invalid_input("'" + std::string(id.substr(0, 200)) + "' is not a case name: " + std::string(what) +
                       "; a case name reads " + std::string(grammar));
}

Result<Problem> problem_of(std::string_view id, const std::vector<std::string_view>& parts) {
  const char* names[] = {"the op", "the problem", "the types", "the layout"};
  for (int i = 0; i < 4; ++i)
    if (!valid_part(parts[i], "_.")) return malformed(id, std::string(names[i]) + " is empty or has a strange character");
  return Problem{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
}

}  // namespace

std::string problem_id(const Problem& p) { return p.op + "/" + p.shape + "/" + p.types + "/" + p.layout; }

std::string algorithm_id(const Algorithm& a) {
  std::string id = a.provider + ":" + a.name;
  char mark = '@';
  for (const auto& [key, value] : a.options) {
    id += mark + key + "=" + value;
    mark = ',';
  }
  return id;
}

std::string case_id(const Problem& problem, const Algorithm& algorithm) {
  return problem_id(problem) + "/" + algorithm_id(algorithm);
}

Result<Problem> parse_problem_id(std::string_view id) {
  const auto parts = split(id, '/');
  if (parts.size() != 4) return malformed(id, "it has " + std::to_string(parts.size()) + " parts, a problem has 4");
  return problem_of(id, parts);
}

Result<CaseName> parse_case_id(std::string_view id) {
  const auto parts = split(id, '/');
  if (parts.size() != 5) return malformed(id, "it has " + std::to_string(parts.size()) + " parts separated by '/', not 5");
  auto problem = problem_of(id, parts);
  if (!problem) return tl::unexpected(problem.error());
  CaseName name{*problem, {}};
  const auto at = parts[4].find('@');
  const auto full = parts[4].substr(0, at);
  const auto colon = full.find(':');
  if (colon == std::string_view::npos) return malformed(id, "the last part lacks the ':' between provider and algorithm");
  name.algorithm.provider = full.substr(0, colon);
  name.algorithm.name = full.substr(colon + 1);
  if (!valid_part(name.algorithm.provider, "_")) return malformed(id, "the provider is empty or has a strange character");
  if (!valid_part(name.algorithm.name, "_:.[]=;+-%")) return malformed(id, "the algorithm is empty or has a strange character");
  if (at == std::string_view::npos) return name;
  for (auto option : split(parts[4].substr(at + 1), ',')) {
    const auto equal = option.find('=');
    if (equal == std::string_view::npos) return malformed(id, "option '" + std::string(option) + "' lacks '='");
    const auto key = option.substr(0, equal), value = option.substr(equal + 1);
    if (!valid_part(key, "_") || !valid_part(value, "_.:+-")) return malformed(id, "option '" + std::string(option) + "' is malformed");
    if (!name.algorithm.options.emplace(key, value).second) return malformed(id, "option '" + std::string(key) + "' comes twice");
  }
  return name;
}

Result<ShapeFields> parse_shape(std::string_view shape) {
  ShapeFields fields;
  for (auto part : split(shape, '_')) {
    const auto digit = part.find_first_of("0123456789");
    if (digit == 0 || digit == std::string_view::npos || part.find_first_not_of("0123456789.", digit) != std::string_view::npos ||
        !std::all_of(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(digit), [](char c) { return c >= 'a' && c <= 'z'; }))
      return invalid_input("'" + std::string(part.substr(0, 60)) + "' in shape '" + std::string(shape.substr(0, 200)) +
                           "' is not a lower-case name followed by a number, like ih224");
    fields.emplace_back(std::string(part.substr(0, digit)), std::string(part.substr(digit)));
  }
  return fields;
}

WordedShape split_words(std::string_view shape) {
  WordedShape result{shape, {}};
  for (;;) {
    const auto underscore = result.fields.rfind('_');
    const auto last = underscore == std::string_view::npos ? std::string_view{} : result.fields.substr(underscore + 1);
    if (last.empty() || last.find_first_of("0123456789") != std::string_view::npos) return result;
    result.words.insert(result.words.begin(), last);
    result.fields = result.fields.substr(0, underscore);
  }
}

std::string format_shape(const ShapeFields& fields) {
  std::string text;
  for (const auto& [key, value] : fields) text += (text.empty() ? "" : "_") + key + value;
  return text;
}

Result<std::vector<std::int64_t>> read_shape(std::string_view shape, const std::vector<FieldBounds>& wanted) {
  auto fields = parse_shape(shape);
  if (!fields) return tl::unexpected(fields.error());
  std::string form;
  for (const auto& f : wanted) form += (form.empty() ? "" : "_") + std::string(f.key) + "N";
  if (fields->size() != wanted.size())
    return invalid_input("shape '" + std::string(shape.substr(0, 200)) + "' has " + std::to_string(fields->size()) +
                         " fields; it should read " + form);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [key, text] = (*fields)[i];
    if (key != wanted[i].key)
      return invalid_input("shape '" + std::string(shape.substr(0, 200)) + "' has '" + key + "' where '" + wanted[i].key +
                           "' should stand; it should read " + form);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < wanted[i].minimum || value > wanted[i].maximum)
      return invalid_input("'" + key + text + "' in shape '" + std::string(shape.substr(0, 200)) + "' is out of range: " + key +
                           " is a whole number from " + std::to_string(wanted[i].minimum) + " to " + std::to_string(wanted[i].maximum));
    values.push_back(value);
  }
  return values;
}

}  // namespace detbench
