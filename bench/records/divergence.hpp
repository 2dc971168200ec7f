// Two train steps side by side from the same weights: when they part, at which op, and how the difference then grows (METHOD
// section 11). Optional in a result file.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// One of the two.
struct DivergenceSide {
  std::string algorithm;  ///< algorithm id: "network:fastest"
  int threads = 0;        ///< CPU threads its plans were made for; 0 on a GPU
  std::string load;       ///< the stressor beside it, empty: none
};

/// The difference after one step: all parameters together, as bits and as values; the loss of that step, before its update.
struct DivergencePoint {
  std::uint32_t step = 0;             ///< from 1
  std::uint64_t elements = 0;
  std::uint64_t differing = 0;        ///< V_c = differing / elements
  std::uint64_t max_ulp = 0;
  double l2 = 0;                      ///< ||a - b||
  double relative_l2 = 0;             ///< ||a - b|| / ||a||
  double loss_a = 0, loss_b = 0;      ///< NaN (null in the file) where it could not be read
  std::optional<double> churn;        ///< share of images whose predicted class differs; nullopt: no inference program
};

/// The first op whose output differs, in the order of the step.
struct DivergenceOp {
  std::uint32_t step = 0;
  std::uint32_t index = 0;            ///< of the op in the step, from 0
  std::string phase, layer, op, algorithm_a, algorithm_b;
  std::string output;                 ///< role of its first output that differs
};

struct Divergence {
  std::string question;               ///< "the same policy under load", "1 thread against 2", "fixed_order against fastest"
  std::string problem;                ///< problem id of the train step
  DivergenceSide a, b;
  std::uint32_t steps = 0;            ///< steps that both made
  std::optional<std::uint32_t> first_step;  ///< after which bits differ for the first time; nullopt: in none
  std::optional<DivergenceOp> first_op;     ///< nullopt: none differs, or the two programs are made of different ops
  std::vector<DivergencePoint> points;      ///< at steps 1, 2, 3, 5, 8, ... and the last
  std::string note;                   ///< why something is missing; empty when nothing is
};

nlohmann::ordered_json to_json(const DivergenceSide&);
nlohmann::ordered_json to_json(const DivergencePoint&);
nlohmann::ordered_json to_json(const DivergenceOp&);
nlohmann::ordered_json to_json(const Divergence&);
Result<DivergenceSide> read_divergence_side(const nlohmann::ordered_json&, const std::string& path);
Result<DivergencePoint> read_divergence_point(const nlohmann::ordered_json&, const std::string& path);
Result<DivergenceOp> read_divergence_op(const nlohmann::ordered_json&, const std::string& path);
Result<Divergence> read_divergence(const nlohmann::ordered_json&, const std::string& path);

}  // namespace detbench
