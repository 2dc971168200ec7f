// The randomness ablation (DESIGN section 6): for each source of randomness trainings in which it alone is let go. What is
// trained is a small network on procedural images (models/data/procedural.hpp), so any machine can do it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/core/probe.hpp"
#include "bench/records/ablation.hpp"
#include "bench/suites/filter.hpp"

namespace detbench {

/// In the order of reports: the control, five seeds, the kernels, and everything at once.
const std::vector<std::string>& ablation_sources();

struct AblationSettings {
  std::string network = "small_residual";  ///< that, or a model of models/catalog.hpp
  std::int64_t pixels = 28, classes = 10, batch = 16, images = 256;  ///< a quarter of the images validates
  std::uint32_t epochs = 2, replicas = 3;
  double learning_rate = 0.05;
  std::uint64_t seed = 1;     ///< of the images and of every source that is fixed
  int threads = 0;            ///< CPU threads of the fixed kernels; 0: every core this process may use
  double timeout_s = 120;     ///< for one source's trainings
};
nlohmann::ordered_json to_json(const AblationSettings& settings);
Result<AblationSettings> read_ablation_settings(const nlohmann::ordered_json& json);

/// What a profile measures; nullopt: nothing (smoke).
std::optional<AblationSettings> ablation_of_profile(std::string_view profile, std::uint64_t seed, int threads);
/// As a problem, for filters: op "ablation", shape "px28_mb16_n256_e2", suite "ablation".
Problem ablation_problem(const AblationSettings& settings);
bool wants_ablation(const Filter& filter, const AblationSettings& settings);

/// Replica r of a source that is let go has the seed `seed + r` for it; of `kernels`, the library's own kernels made for 1, 2, ...
/// threads by turns on a CPU, up to its cores (as if trained on machines with so many), and on a GPU whatever the library prefers, as often as
/// there are replicas. All other sources have `seed`, and kernels are our fixed-order ones.
/// A source that the network does not have, or that cannot run here, is a row with a note. Errors: settings that cannot be.
Result<AblationRow> measure_ablation_row(const AblationSettings& settings, const std::string& source, const MakeDevice& make_device, double& input_s, double& train_s);

/// A worker's side of an "ablate" request, and the parent's: {"row", "input_s", "train_s"}.
Result<nlohmann::ordered_json> answer_ablation(const nlohmann::ordered_json& request, const MakeDevice& make_device);
/// Adds what the worker answered, or a row with the reason why it did not.
Status take_ablation_answer(const nlohmann::ordered_json& answer, const std::string& source, Ablation& ablation);

/// Without rows: what all of them have in common.
Result<Ablation> describe_ablation(const AblationSettings& settings, bool gpu);

/// The figures of a row from its trainings: pairs in their order, sums in f64.
struct ReplicaOutcome {
  AblationReplica replica;
  std::vector<float> weights;
  std::vector<std::int32_t> predictions;
};
AblationRow summarize_replicas(std::string source, const std::vector<ReplicaOutcome>& outcomes);

}  // namespace detbench
