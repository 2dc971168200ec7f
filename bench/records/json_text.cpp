#include "bench/records/json_text.hpp"

#include <new>
#include <stdexcept>

namespace detbench {
namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_members = 1 << 16;

/// One pass over the text that knows strings and brackets only. Deep nesting costs a recursive copy or destructor its
/// stack, and an ordered object costs its members squared: both are bounded before the parser allocates anything.
Status check_structure(std::string_view text, const std::string& what) {
  std::vector<std::size_t> commas;
  std::vector<bool> is_object;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
      continue;
    }
    switch (c) {
      case '"': in_string = true; break;
      case '{':
      case '[':
        if (commas.size() == max_depth)
          return invalid_input(what + ": nested deeper than " + std::to_string(max_depth) + " levels at byte " +
                               std::to_string(i) + "; a file of detbench has fewer");
        commas.push_back(0);
        is_object.push_back(c == '{');
        break;
      case '}':
      case ']':
        if (!commas.empty()) {
          commas.pop_back();
          is_object.pop_back();
        }
        break;
      case ',':
        if (!commas.empty() && ++commas.back() >= max_members && is_object.back())
          return invalid_input(what + ": an object has more than " + std::to_string(max_members) + " members at byte " +
                               std::to_string(i) + "; a file of detbench has fewer");
        break;
      case '\0': return invalid_input(what + ": holds a zero byte at " + std::to_string(i) + "; JSON is text");
      default: break;
    }
  }
  return {};
}

/// nlohmann's messages start with "[json.exception.parse_error.101] " and may hold line breaks.
std::string one_line(std::string text) {
  if (const auto end = text.find("] "); text.rfind("[json.exception", 0) == 0 && end != std::string::npos)
    text.erase(0, end + 2);
  std::string line;
  for (const char c : text.substr(0, 240)) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return line;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& what) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return invalid_input(what + ": is empty; it should hold JSON");
  if (auto checked = check_structure(text, what); !checked) return tl::unexpected(checked.error());
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const std::bad_alloc&) {
    return failure(what + ": too large for the free memory of this machine", Reason::Kind::out_of_memory);
  } catch (const std::exception& error) {
    return invalid_input(what + ": is not valid JSON or was cut off: " + one_line(error.what()));
  }
}

}  // namespace detbench
