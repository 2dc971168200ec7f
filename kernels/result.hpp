// Errors are values with a reason until a verb prints them (DESIGN section 12).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace detbench {

/// Why something could not be done, in one line: what is missing or wrong, and what would be right.
/// `kind` maps to the run status of METHOD section 1, so a reason that crosses a process boundary keeps its meaning.
struct Reason {
  enum class Kind { unsupported, invalid_input, out_of_memory, failed };
  std::string text;
  Kind kind = Kind::failed;
};

template <class T>
using Result = tl::expected<T, Reason>;
using Status = tl::expected<void, Reason>;

inline tl::unexpected<Reason> failure(std::string text, Reason::Kind kind = Reason::Kind::failed) {
  return tl::unexpected<Reason>(Reason{std::move(text), kind});
}
inline tl::unexpected<Reason> unsupported(std::string text) {
  return failure(std::move(text), Reason::Kind::unsupported);
}
inline tl::unexpected<Reason> invalid_input(std::string text) {
  return failure(std::move(text), Reason::Kind::invalid_input);
}

}  // namespace detbench
