// The randomness ablation (DESIGN section 6): trainings in which one source of randomness is let go and all others are
// fixed, and what that source alone does to weights, loss, accuracy and predictions. Optional in a result file.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// One training of a row.
struct AblationReplica {
  std::string weights_digest;
  double final_loss = 0;  ///< mean over the steps of the last epoch; NaN (null in the file) where it diverged
  double accuracy = 0;    ///< share of the validation images classified rightly at the end
  std::string kernels;    ///< what computed it: "fixed_order" or "library_heuristic, 3 threads"
};

/// One source let go, all others fixed.
struct AblationRow {
  std::string source;             ///< "none", "weights", "shuffle", "augmentation", "dropout", "drop_connect", "kernels", "all"
  std::string note;               ///< why it could not be measured; empty when it was
  std::vector<AblationReplica> replicas;
  std::uint32_t distinct_weights = 0;  ///< distinct digests of the weights
  double weights_l2 = 0;          ///< mean over pairs of ||w_i - w_j||, all parameters together
  double relative_weights_l2 = 0; ///< that over the mean of ||w_i||
  double loss_mean = 0, loss_stddev = 0;          ///< of final_loss; the deviation of a sample (n - 1)
  double loss_min = 0, loss_max = 0;
  double accuracy_mean = 0, accuracy_stddev = 0;
  double churn = 0;               ///< mean over pairs of the share of validation images whose predicted class differs
};

/// One network on one set of images.
struct Ablation {
  std::string network, dataset, types;
  std::string fixed_kernels;      ///< policy of all rows but `kernels` and `all`
  std::string varied_kernels;     ///< of those two
  std::int64_t pixels = 0, classes = 0, batch = 0;
  std::int64_t training_images = 0, validation_images = 0;
  std::uint32_t epochs = 0, steps = 0;  ///< of one training
  double learning_rate = 0;
  std::string augmentation;       ///< the ranges that are on, in Keras's words
  double elapsed_s = 0, input_s = 0, train_s = 0;  ///< all trainings together
  std::vector<AblationRow> rows;
  std::string note;               ///< why something is missing; empty when nothing is
};

nlohmann::ordered_json to_json(const AblationReplica&);
nlohmann::ordered_json to_json(const AblationRow&);
nlohmann::ordered_json to_json(const Ablation&);
Result<AblationReplica> read_ablation_replica(const nlohmann::ordered_json&, const std::string& path);
Result<AblationRow> read_ablation_row(const nlohmann::ordered_json&, const std::string& path);
Result<Ablation> read_ablation(const nlohmann::ordered_json&, const std::string& path);

}  // namespace detbench
