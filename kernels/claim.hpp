// What an algorithm promises about its bits, and where the promise holds (METHOD sections 3 and 4).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// CCCL's three names, weakest first.
enum class Guarantee { not_guaranteed, run_to_run, gpu_to_gpu };

/// What is varied while the bits are watched. `machine` is joined later from several result files.
enum class Scope { repeat, process, load, placement, partition, capture, batch, machine };

inline constexpr std::array all_scopes{Scope::repeat,    Scope::process, Scope::load,  Scope::placement,
                                       Scope::partition, Scope::capture, Scope::batch, Scope::machine};

/// Sampling scopes report distinct digests of n and a bound; configuration scopes report which configurations differ.
constexpr bool is_sampling(Scope scope) {
  return scope == Scope::repeat || scope == Scope::process || scope == Scope::load;
}

std::string_view to_text(Guarantee guarantee);
std::string_view to_text(Scope scope);
std::optional<Guarantee> parse_guarantee(std::string_view text);
std::optional<Scope> parse_scope(std::string_view text);
/// "repeat,load"; empty for none.
std::string format_scopes(const std::vector<Scope>& scopes);
/// Its inverse, in the order of all_scopes and without repeats; refuses what is no scope in one line. "" is none.
Result<std::vector<Scope>> parse_scopes(std::string_view text);

/// A promise about bits. Only a difference inside `coverage` breaks it.
struct Claim {
  Guarantee guarantee = Guarantee::not_guaranteed;
  std::string source;           ///< what it rests on: a document and version, or "by construction"; empty: no claim
  std::vector<Scope> coverage;  ///< the scopes the source speaks about
  bool covers(Scope scope) const;
};

}  // namespace detbench
