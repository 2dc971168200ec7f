// Plans of segmented sums over values and cuts that a test chose, and what their definitions say.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/segmented_sum/segmented_problem.hpp"
#include "kernels/segmented_sum/segmented_sum.hpp"
#include "tests/kernels/plan_bits.hpp"

namespace detbench::testing {

inline Problem segmented_problem(const std::string& shape, const std::string& types = "f32_f32_strict") { return {"segmented_sum", shape, types, "vector"}; }

/// Values whose partial sums round, of exponents that spread so far.
template <class T>
std::vector<T> spread_values(std::int64_t n, int spread = 12) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n) * 31 + static_cast<std::uint64_t>(spread));
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto significand = static_cast<double>(static_cast<std::int64_t>(random()) >> 38);
    const double value = std::ldexp(significand, -30 + static_cast<int>(random() % static_cast<unsigned>(spread)));
    if constexpr (std::is_floating_point_v<T>) values.push_back(static_cast<T>(value));
    else if constexpr (std::is_same_v<T, reduction::F16Bits>) values.push_back({f16_from_float(static_cast<float>(value))});
    else values.push_back({bf16_from_float(static_cast<float>(value))});
  }
  return values;
}
inline std::vector<std::int64_t> random_cuts(std::int64_t segments) {
  std::mt19937_64 random(static_cast<std::uint64_t>(segments));
  std::vector<std::int64_t> cuts;
  for (std::int64_t s = 0; s <= segments; ++s) cuts.push_back(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(segmented_sum::cut_limit)));
  return cuts;
}

/// A run of "provider:algorithm" by its name.
template <class T>
PlanRun named_run(const Problem& problem, const std::string& algorithm, const std::vector<T>& values, const std::vector<std::int64_t>& cuts) {
  return {[problem, algorithm](Device& device) -> Result<std::unique_ptr<Plan>> {
            const auto operation = make_segmented_sum_operation();
            const auto name = parse_case_id(problem_id(problem) + "/" + algorithm);
            if (!name) return tl::unexpected(name.error());
            const auto* provider = operation->find_provider(name->algorithm.provider);
            if (provider == nullptr) return failure("no provider " + name->algorithm.provider);
            return provider->plan(problem, name->algorithm, device);
          },
          {bytes_of(values), bytes_of(cuts)}};
}

/// Sum by sum over the segments of a problem, `sum(first, count)` of its elements.
template <class Sum>
Bytes by_segment(const segmented_sum::SegmentedProblem& p, const std::vector<std::int64_t>& cuts, Sum&& sum) {
  const segmented_sum::Segments segments{p.n, p.segments, p.skewed, cuts.data()};
  std::vector<decltype(sum(std::int64_t{}, std::int64_t{}))> sums;
  for (std::int64_t s = 0; s < p.segments; ++s) sums.push_back(sum(segments.offset(s), segments.length(s)));
  return bytes_of(sums);
}

/// The fixed tree of a vector, written down naively; a sum begins as +0.
template <class Node>
Node naive_tree(const std::vector<Node>& x) {
  if (x.empty()) return 0;
  std::vector<Node> nodes;
  for (std::size_t first = 0; first < x.size(); first += 2048) {
    std::vector<Node> lanes(64, -Node(0));
    for (std::size_t i = first; i < std::min(x.size(), first + 2048); ++i) lanes[(i - first) % 64] += x[i];
    for (std::size_t stride = 32; stride > 0; stride /= 2)
      for (std::size_t lane = 0; lane < stride; ++lane) lanes[lane] += lanes[lane + stride];
    nodes.push_back(lanes[0]);
  }
  while (nodes.size() > 1) {
    std::vector<Node> above;
    for (std::size_t i = 0; i < nodes.size(); i += 2) above.push_back(i + 1 < nodes.size() ? nodes[i] + nodes[i + 1] : nodes[i]);
    nodes = above;
  }
  return Node(0) + nodes[0];
}

}  // namespace detbench::testing
