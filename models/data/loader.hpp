// Batches for a training run: which images, changed how, in which order; every bit a function of the seeds, the epoch and
// the images, never of the number of threads.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "models/data/augmentation.hpp"
#include "models/data/dataset.hpp"

namespace detbench {

/// What becomes of pixels from 0 to 255 at the end, after the augmentation (Keras's order too).
enum class Standardization {
  raw,  ///< as they are: EfficientNet rescales by itself
  unit, ///< x / 255 (rescale = 1/255)
  tf    ///< x / 127.5 - 1: preprocess_input of mode "tf" (MobileNetV2)
};

struct LoaderSpec {
  std::int64_t batch = 32;
  bool shuffled = true;           ///< else in the order given
  std::uint64_t shuffle_seed = 1, augmentation_seed = 1;
  AugmentationSpec augmentation;  ///< nothing by default
  Standardization standardization = Standardization::raw;
  /// A last batch that is short is left out, as a step of a fixed batch needs; else it comes short.
  bool drop_remainder = true;
  int threads = 0;                ///< 0: OpenMP's
};

class Loader {
 public:
  /// `indices` into `dataset`, which is kept; a spec that cannot be is refused by name.
  static Result<Loader> make(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices, const LoaderSpec& spec);

  const Dataset& dataset() const { return *dataset_; }
  std::int64_t batch() const { return spec_.batch; }
  std::int64_t batches_per_epoch() const;
  /// Batch `number` of an epoch as f32 N,H,W,C and one label per image, both with room for batch() of them; returns how many
  /// were written. What a short batch leaves over is untouched. Images in parallel. Nothing is allocated after the first
  /// batch, but for the permutation at each new epoch and what a decoding library takes. An error is that of the first image
  /// in the batch that has one.
  Result<std::int64_t> load(std::uint32_t epoch, std::int64_t number, std::span<float> images, std::span<std::int32_t> labels);
  /// The images of an epoch in the order in which they come.
  const std::vector<std::int64_t>& order(std::uint32_t epoch);
  /// Seconds spent in load() so far: a result's `input_s`.
  double input_s() const { return input_s_; }

 private:
  Loader(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices, const LoaderSpec& spec);
  Status load_one(std::uint32_t epoch, std::int64_t index, std::span<float> pixels, std::span<float> scratch) const;

  std::shared_ptr<const Dataset> dataset_;
  LoaderSpec spec_;
  std::vector<std::int64_t> indices_, order_;
  std::int64_t order_epoch_ = -1;
  std::vector<std::vector<float>> scratch_;     ///< one image per thread
  std::vector<std::optional<Reason>> failures_; ///< one per image of a batch
  double input_s_ = 0;
};

}  // namespace detbench
