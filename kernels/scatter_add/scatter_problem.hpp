// What the three operations of this folder ask: scatter_add, index_add and weighted_histogram, one struct for all.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/op.hpp"
#include "kernels/reduction/distribution.hpp"
#include "kernels/scatter_add/targets.hpp"

namespace detbench::scatter_add {

enum class Kind { scatter_add, index_add, weighted_histogram };
inline constexpr Kind all_kinds[] = {Kind::scatter_add, Kind::index_add, Kind::weighted_histogram};
std::string_view to_text(Kind kind);

struct ScatterProblem {
  Kind kind = Kind::scatter_add;
  std::int64_t n = 0;       ///< updates
  std::int64_t width = 1;   ///< values of one update, which go to neighbouring places of its bin
  std::int32_t bins = 0, hot = 0;
  Layout layout = Layout::random;
  reduction::Distribution distribution = reduction::Distribution::centred;
  DataType stored = DataType::f32;  ///< of the values
  DataType bin = DataType::f32;     ///< of the bins: the output

  bool has_samples() const { return kind == Kind::weighted_histogram; }
  std::int64_t values() const { return n * width; }
  std::int64_t outputs() const { return bins * width; }
  /// Additions are made in this type wherever the order is ours; bins of 16 bits are rounded once, at the end.
  DataType accumulator() const { return bin == DataType::f64 ? DataType::f64 : DataType::f32; }
  /// Indices are drawn from 0 .. index_limit()-1.
  std::int64_t index_limit() const;
};
/// Errors name the part that is wrong and show what would be right.
Result<ScatterProblem> parse_scatter(const Problem& problem);

/// Updates per bin.
double mean_updates_per_bin(const ScatterProblem& problem);
/// The most that one bin receives: exact where the layout gives it; where indices are drawn, what a bin exceeds less than
/// once in 10^6 fills (mean + 6 standard deviations and more), and never more than n.
std::int64_t most_updates_of_a_bin(const ScatterProblem& problem);
/// True where most_updates_of_a_bin() is a fact of the layout and not a matter of chance.
bool has_exact_counts(const ScatterProblem& problem);

/// The most partial sums that one bin receives where each `part` updates, from the first on, are joined before they meet as
/// far as neighbours share a bin. Never too few.
std::int64_t most_partials_of_a_bin(const ScatterProblem& problem, std::int64_t part);

/// Facts for the row: `updates_per_bin` (mean), `contention` (how the updates of a bin come to meet, in words), and, where
/// no order of additions could change a bit, `cannot_show` with the reason.
std::map<std::string, std::string> contention_notes(const ScatterProblem& problem);

/// "values" {n} or {n, d} and "indices" {n}, or "weights" {n} and "samples" {n} (always f32); "dst" {bins} or {bins, d}.
std::vector<TensorSpec> input_specs(const ScatterProblem& problem);
TensorSpec output_spec(const ScatterProblem& problem);
/// How the input `role` is drawn.
Result<FillSpec> input_fill(const ScatterProblem& problem, const std::string& role, const Inputs& inputs);

}  // namespace detbench::scatter_add
