// Trains a network on labelled images and says what came of it: losses, accuracy, predictions, and the bits of the weights.
// Every bit is a function of the network, the images, the selections, the device's kernels and five seeds (models/seeds.hpp),
// so that each source of randomness can be fixed or let go by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/device/device.hpp"
#include "models/data/loader.hpp"
#include "models/data/split.hpp"
#include "models/training.hpp"

namespace detbench {

struct TrainerSpec {
  std::int64_t batch = 32;
  std::uint32_t epochs = 1;
  /// With the seeds, of which the loader takes `shuffle` and `augmentation` and the initializers `weights`.
  TrainingSpec training;
  AugmentationSpec augmentation;
  Standardization standardization = Standardization::raw;
  Execution execution = Execution::launches;
  int loader_threads = 0;  ///< 0: OpenMP's
};

/// One training, finished.
struct TrainingOutcome {
  std::vector<double> loss;                ///< of each step, before its update
  std::vector<double> accuracy;            ///< on the validation images after each epoch, with moving statistics
  std::vector<std::int32_t> predictions;   ///< the class of each validation image at the end, the first of the largest logits
  std::vector<float> weights;              ///< all parameters, canonical, one behind the other
  Digest weights_digest;                   ///< of the parameters alone
  double prepare_s = 0;                    ///< planning, memory and initial weights
  double input_s = 0, train_s = 0, evaluate_s = 0;
};

/// `split` into `dataset`, whose image size and number of classes have to be the network's. Validation always runs in fixed
/// order, so that what differs between two outcomes is the training. A last short batch is left out of training, never of
/// validation. Errors: what cannot be planned, loaded or allocated, in one line; a loss that is no number any more is none.
Result<TrainingOutcome> train_network(const Network& network, std::shared_ptr<const Dataset> dataset, const Split& split, const Selection& selection,
                                      const TrainerSpec& spec, const Registry& registry, Device& device);

}  // namespace detbench
