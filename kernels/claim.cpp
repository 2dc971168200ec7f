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

std::string format_scopes(const std::vector<Scope>& scopes) {
  std::string text;
  for (const auto scope : scopes) text += (text.empty() ? "" : ",") + std::string(to_text(scope));
  return text;
}

Result<std::vector<Scope>> parse_scopes(std::string_view text) {
  std::vector<Scope> scopes;
  if (text.empty()) return scopes;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const auto scope = parse_scope(rest.substr(0, comma));
    if (!scope || *scope == Scope::machine)
      return invalid_input("'" + std::string(text.substr(0, 100)) + "' is no list of scopes: write repeat, process, load, placement, partition, capture and batch joined by commas");
    scopes.push_back(*scope);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::sort(scopes.begin(), scopes.end());
  scopes.erase(std::unique(scopes.begin(), scopes.end()), scopes.end());
  return scopes;
}

}  // namespace detbench
