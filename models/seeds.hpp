// The seeds of a training run, one per named random stream, so that each source of randomness can be fixed or let go by
// itself (DESIGN section 6, randomness ablation).
#pragma once

#include <cstdint>

namespace detbench {

struct Seeds {
  std::uint64_t weights = 1;       ///< initial parameters: streams "weights/<layer>/<role>"
  std::uint64_t shuffle = 1;       ///< order of the images in an epoch
  std::uint64_t augmentation = 1;  ///< what is done to each image
  std::uint64_t dropout = 1;       ///< masks of dropout layers: streams "dropout/<layer>"
  std::uint64_t drop_connect = 1;  ///< samples that a residual branch leaves out: streams "drop_connect/<layer>"
  bool operator==(const Seeds&) const = default;
};

}  // namespace detbench
