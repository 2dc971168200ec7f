// Rooflines: how fast an arm is against what the machine gives a problem of its intensity (operations per byte that has to
// move), with the roofs that the same run measured (bench/analysis/ceilings.hpp). Williams, Waterman and Patterson,
// "Roofline: an insightful visual performance model for multicore architectures", 2009.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/analysis/ceilings.hpp"

namespace detbench::analysis {

/// The roof over one problem.
struct Roof {
  double flop_per_byte = 0;  ///< operations of the plain sum over inputs read once and outputs written once
  const Ceiling* memory = nullptr;             ///< memory_read of the nearest size
  const ArithmeticCeiling* arithmetic = nullptr;  ///< of its types
  const ArithmeticCeiling* fma = nullptr;

  std::optional<double> memory_gflop_per_s() const;  ///< what memory lets through
  /// The lower of the two. nullopt: not measured, or only the one that is not known to bind.
  std::optional<double> gflop_per_s() const;
  /// The same for a kernel that multiplies and adds in f32 whatever is stored: memory, or fma_rate.
  std::optional<double> fma_gflop_per_s() const;
  bool memory_binds() const;  ///< where gflop_per_s() is known
};

/// All ceilings of one file.
class Roofs {
 public:
  Roofs(const std::vector<ComparisonView>& views, const ResultFile& file);
  /// nullopt: the comparison counts no operations or no bytes.
  std::optional<Roof> over(const ComparisonView& view) const;
  /// "neither memory_read nor ... was measured", empty where there are both kinds of roof.
  std::string missing() const;

 private:
  std::vector<Ceiling> memory_;
  std::vector<ArithmeticCeiling> arithmetic_;
};

/// A problem under a roof, and a row per timed arm of it.
struct RooflineProblem {
  const ComparisonView* view = nullptr;
  std::string types;
  Json rows;
};
/// Those that count operations, whole networks and the ceilings' own ops aside.
std::vector<RooflineProblem> roofline_problems(const std::vector<ComparisonView>& views);

/// Their rows: one per timed arm that counts operations: group, label, types, algorithm,
/// role ("fastest", "fastest without a difference", "fixed order", joined by ", "; empty: none), claim, observed, time_us,
/// gflop_per_s, flop_per_byte, roof_gflop_per_s, limit ("memory", "arithmetic"), roof (how it was measured), share,
/// fma_share (of memory's or fma_rate's roof, for kernels that multiply in f32), bound (in words), replay.
Json roofline_rows(const std::vector<ComparisonView>& views);

/// What the chart draws, the published arms of each problem (those with a role), in panels of problems of one kind and type.
/// Every row has panel, panel_rank and a kind: "arm" as above with best (the highest share of its role in the panel); "span",
/// the distance between a problem's slowest and fastest published arm (low, high); "roof", the two points of a line (roof);
/// "roof_name" (name, place); "note", what a role reached in words (name, line). At most `most_panels`, those with most
/// problems.
Json roofline_chart_rows(const std::vector<ComparisonView>& views, std::size_t most_panels);

/// "Of the roof, median of the fastest arms and of those in fixed order: conv_fwd f32_f32_strict 0.76 and 0.45 (30 problems), ..."
/// of one file; empty where nothing has both a roof and a fixed order.
std::string roofline_sentence(const std::vector<ComparisonView>& views, const ResultFile& file);

/// A line for each file that lacks ceilings: "no roofs for machine X: ...".
std::vector<std::string> roofless(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views);

}  // namespace detbench::analysis
