#include "kernels/claim.hpp"

#include <algorithm>

namespace detbench {

std::string_view to_text(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::not_guaranteed: return "not_guaranteed";
    case Guarantee::run_to_run: return "run_to_run";
    case Guarantee::gpu_to_gpu: return "gpu_to_gpu";
  }
  return "not_guaranteed";
}

std::string_view to_text(Scope scope) {
  switch (scope) {
    case Scope::repeat: return "repeat";
    case Scope::process: return "process";
    case Scope::load: return "load";
    case Scope::placement: return "placement";
    case Scope::partition: return "partition";
    case Scope::capture: return "capture";
    case Scope::batch: return "batch";
    case Scope::machine: return "machine";
  }
  return "repeat";
}

std::optional<Guarantee> parse_guarantee(std::string_view text) {
  for (auto g : {Guarantee::not_guaranteed, Guarantee::run_to_run, Guarantee::gpu_to_gpu})
    if (to_text(g) == text) return g;
  return std::nullopt;
}

std::optional<Scope> parse_scope(std::string_view text) {
  for (auto s : all_scopes)
    if (to_text(s) == text) return s;
  return std::nullopt;
}

bool Claim::covers(Scope scope) const {
  return std::find(coverage.begin(), coverage.end(), scope) != coverage.end();
}

}  // namespace detbench
