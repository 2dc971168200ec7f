#include <cstdio>

#include "tests/bench/core/prove/proof.hpp"

namespace detbench {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

}  // namespace

std::string detection_table(const std::vector<DetectionRow>& rows) {
  std::string text =
      "| scope | planted | watched | trials | found | by theory | holds |\n"
      "| --- | --- | --- | ---: | ---: | ---: | --- |\n";
  for (const auto& row : rows) {
    text += "| " + row.scope + " | " + row.planted + " | " + row.watched + " | " + std::to_string(row.trials) + " | " +
            std::to_string(row.found) + " | ";
    char expected[32];
    std::snprintf(expected, sizeof expected, "%.1f", row.expected * row.trials);
    text += std::string(expected) + " | " + (row.holds() ? "yes" : "NO") + " |\n";
  }
  return text;
}

std::string timing_table(const std::vector<TimingRow>& rows) {
  std::string text =
      "| noise | blocks | A/A pairs | called equal (of those `same`) | intervals that hold the truth | 1 % found (promised) | "
      "3 % found (promised) | 10 % found (promised) | busy | holds |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
  for (const auto& row : rows) {
    text += "| " + std::string(row.simulated ? "simulated: " : "real: ") + row.noise + " | " + std::to_string(row.blocks) + " | " +
            std::to_string(row.pairs) + " | " + std::to_string(row.equal) + " (" + std::to_string(row.same) + ") | " + percent(row.coverage);
    for (int i = 0; i < 3; ++i) text += " | " + percent(row.found[i]) + " (" + percent(row.promised[i]) + ")";
    text += " | " + std::to_string(row.busy) + " | " + (row.holds() ? "yes" : "NO") + " |\n";
  }
  return text;
}

}  // namespace detbench
