#include "kernels/search.hpp"

#include <algorithm>

namespace detbench {

bool AlgorithmSearch::has(Tier tier) const { return std::find(tiers.begin(), tiers.end(), tier) != tiers.end(); }

std::string_view to_text(Tier tier) {
  switch (tier) {
    case Tier::t0: return "t0";
    case Tier::t1: return "t1";
    case Tier::t2: return "t2";
    case Tier::t3: return "t3";
  }
  return "";
}

std::string format_tiers(const std::vector<Tier>& tiers) {
  std::string text;
  for (const auto tier : tiers) text += (text.empty() ? "" : ",") + std::string(to_text(tier));
  return text;
}

Result<std::vector<Tier>> parse_tiers(std::string_view text) {
  std::vector<Tier> tiers(std::begin(all_tiers), std::end(all_tiers));
  if (text == "all") return tiers;
  std::vector<Tier> wanted;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const auto word = rest.substr(0, comma);
    const auto found = std::find_if(tiers.begin(), tiers.end(), [&](Tier tier) { return to_text(tier) == word; });
    if (found == tiers.end())
      return invalid_input("'" + std::string(text.substr(0, 100)) + "' is no list of tiers: write t0, t1, t2 and t3 joined by commas, or all");
    wanted.push_back(*found);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

}  // namespace detbench
