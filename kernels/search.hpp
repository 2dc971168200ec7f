// How far a provider goes in looking for ways to answer a problem, where there are more than anybody can run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// Tiers of configurations. Which ones ran is recorded and printed: "every algorithm" is honest for t0 with t1, "every
/// configuration" only where t3 was exhaustive.
enum class Tier {
  t0,  ///< every engine or algorithm id, knobs at their defaults
  t1,  ///< what the library's heuristics propose, all modes
  t2,  ///< one knob at a time over its valid values, around each point of t1
  t3,  ///< a seeded sample of the valid configurations; all of them where they are few
};
inline constexpr Tier all_tiers[] = {Tier::t0, Tier::t1, Tier::t2, Tier::t3};

struct AlgorithmSearch {
  std::vector<Tier> tiers{Tier::t0, Tier::t1};           ///< ascending, without repeats
  std::size_t workspace_cap_bytes = std::size_t{1} << 30;  ///< configurations that want more are offered as unsupported
  std::uint32_t sample = 64;                             ///< t3: configurations drawn per engine where it is not exhaustive
  std::uint32_t exhaustive_limit = 5000;                 ///< t3: an engine with at most so many knob combinations is tried whole
  std::uint64_t seed = 1;

  bool has(Tier tier) const;
  bool operator==(const AlgorithmSearch&) const = default;
};

std::string_view to_text(Tier tier);                     ///< "t0"
std::string format_tiers(const std::vector<Tier>& tiers);  ///< "t0,t1"
/// "t0,t1" or "all"; refuses anything else in one line.
Result<std::vector<Tier>> parse_tiers(std::string_view text);

}  // namespace detbench
