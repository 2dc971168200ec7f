#include "bench/analysis/ceilings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/problem.hpp"

namespace detbench::analysis {

namespace {

/// "m2048_n2048_k2048" of a product of square matrices; empty: it is another problem.
std::string square_size(const ComparisonView& view) {
  const auto problem = parse_problem_id(view.problem);
  if (view.op != "matmul" || !problem) return "";
  const auto fields = parse_shape(problem->shape);
  if (!fields || fields->size() != 3) return "";
  return (*fields)[0].second == (*fields)[1].second && (*fields)[1].second == (*fields)[2].second ? problem->shape : "";
}

}  // namespace

bool is_memory_traffic(const ComparisonView& view) { return view.op.rfind("memory_", 0) == 0; }
bool is_machine_rate(const ComparisonView& view) { return is_memory_traffic(view) || view.op == "fma_rate"; }

std::vector<Ceiling> measured_ceilings(const std::vector<ComparisonView>& views, const ResultFile& file) {
  std::vector<Ceiling> ceilings;
  for (const auto& view : views) {
    if (view.file != &file || !is_memory_traffic(view) || !view.fastest || !view.info || !view.info->bytes) continue;
    const auto& fastest = view.arms[*view.fastest];
    Ceiling ceiling{view.op, *view.info->bytes, *view.info->bytes / fastest.time->median_s / 1e9, fastest.algorithm, &view};
    if (view.op == "memory_copy") ceiling.buffer_bytes /= 2;
    ceilings.push_back(std::move(ceiling));
  }
  std::stable_sort(ceilings.begin(), ceilings.end(), [](const Ceiling& a, const Ceiling& b) {
    const auto order = [](const Ceiling& c) { return c.op == "memory_read" ? 0 : c.op == "memory_write" ? 1 : 2; };
    return order(a) != order(b) ? order(a) < order(b) : a.buffer_bytes < b.buffer_bytes;
  });
  return ceilings;
}

const Ceiling* nearest_ceiling(const std::vector<Ceiling>& ceilings, std::string_view op, double bytes) {
  const Ceiling* nearest = nullptr;
  const auto distance = [&](const Ceiling& c) { return std::abs(std::log(c.buffer_bytes / bytes)); };
  for (const auto& ceiling : ceilings)
    if (ceiling.op == op && (!nearest || distance(ceiling) < distance(*nearest))) nearest = &ceiling;
  return nearest;
}

std::vector<ArithmeticCeiling> arithmetic_ceilings(const std::vector<ComparisonView>& views, const ResultFile& file) {
  std::vector<ArithmeticCeiling> ceilings;
  for (const auto& view : views) {
    if (view.file != &file || !view.fastest || !view.info || !view.info->flops) continue;
    const auto problem = parse_problem_id(view.problem);
    const auto size = view.op == "fma_rate" && problem ? problem->shape : square_size(view);
    if (size.empty()) continue;
    const auto& fastest = view.arms[*view.fastest];
    ceilings.push_back({view.op, problem->types, size, *view.info->flops / fastest.time->median_s / 1e9, fastest.algorithm, &view});
  }
  std::stable_sort(ceilings.begin(), ceilings.end(), [](const ArithmeticCeiling& a, const ArithmeticCeiling& b) {
    if (a.op != b.op) return a.op < b.op;
    return a.types != b.types ? a.types < b.types : a.gflop_per_s > b.gflop_per_s;
  });
  return ceilings;
}

namespace {

template <class Fits>
const ArithmeticCeiling* fastest_that(const std::vector<ArithmeticCeiling>& ceilings, const Fits& fits) {
  const ArithmeticCeiling* fastest = nullptr;
  for (const auto& ceiling : ceilings)
    if (fits(ceiling) && (!fastest || ceiling.gflop_per_s > fastest->gflop_per_s)) fastest = &ceiling;
  return fastest;
}

std::string_view arithmetic_of(std::string_view types) { return types.substr(0, types.find("_dw")); }

}  // namespace

const ArithmeticCeiling* product_ceiling(const std::vector<ArithmeticCeiling>& ceilings, std::string_view types) {
  return fastest_that(ceilings, [&](const ArithmeticCeiling& c) { return c.op == "matmul" && c.types == arithmetic_of(types); });
}
const ArithmeticCeiling* peak_of(const std::vector<ArithmeticCeiling>& ceilings, std::string_view types) {
  return fastest_that(ceilings, [&](const ArithmeticCeiling& c) { return c.types == arithmetic_of(types); });
}
const ArithmeticCeiling* fma_ceiling(const std::vector<ArithmeticCeiling>& ceilings) {
  return fastest_that(ceilings, [](const ArithmeticCeiling& c) { return c.op == "fma_rate"; });
}

std::string bytes_in_words(double bytes) {
  const char* unit = "bytes";
  for (const char* larger : {"KiB", "MiB", "GiB"}) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return fmt::format("{:.4g} {}", bytes, unit);
}

std::optional<double> last_level_cache_bytes(const ResultFile& file) {
  const auto cpu = file.manifest.find("cpu");
  if (cpu == file.manifest.end() || !cpu->is_object()) return std::nullopt;
  const auto caches = cpu->find("caches");
  if (caches == cpu->end() || !caches->is_array()) return std::nullopt;
  std::optional<double> largest;
  for (const auto& cache : *caches)
    if (cache.is_object() && cache.contains("bytes") && cache["bytes"].is_number())
      largest = std::max(largest.value_or(0), cache["bytes"].get<double>());
  return largest;
}

}  // namespace detbench::analysis
