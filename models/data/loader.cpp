#include "models/data/loader.hpp"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "models/data/split.hpp"

namespace detbench {

Result<Loader> Loader::make(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices, const LoaderSpec& spec) {
  if (spec.batch < 1) return invalid_input("a batch of " + std::to_string(spec.batch) + " images; 1 or more can be loaded");
  if (spec.threads < 0) return invalid_input(std::to_string(spec.threads) + " loading threads; 0 means as many as OpenMP has");
  for (const std::int64_t i : indices)
    if (i < 0 || i >= dataset->size()) return invalid_input("image " + std::to_string(i) + " of a set of " + std::to_string(dataset->size()));
  if (indices.empty() || (spec.drop_remainder && static_cast<std::int64_t>(indices.size()) < spec.batch))
    return invalid_input(std::to_string(indices.size()) + " images make no batch of " + std::to_string(spec.batch));
  if (auto s = check(spec.augmentation, dataset->image()); !s) return tl::unexpected(s.error());
  return Loader(std::move(dataset), std::move(indices), spec);
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices, const LoaderSpec& spec)
    : dataset_(std::move(dataset)), spec_(spec), indices_(std::move(indices)), order_(indices_.size()), failures_(static_cast<std::size_t>(spec.batch)) {
  if (spec_.threads == 0) spec_.threads = omp_get_max_threads();
  scratch_.assign(static_cast<std::size_t>(spec_.threads), std::vector<float>(static_cast<std::size_t>(element_count(dataset_->image()))));
}

std::int64_t Loader::batches_per_epoch() const {
  const auto n = static_cast<std::int64_t>(indices_.size());
  return spec_.drop_remainder ? n / spec_.batch : (n + spec_.batch - 1) / spec_.batch;
}

const std::vector<std::int64_t>& Loader::order(std::uint32_t epoch) {
  if (!spec_.shuffled) return indices_;
  if (order_epoch_ != static_cast<std::int64_t>(epoch)) {
    const auto places = permutation(static_cast<std::int64_t>(indices_.size()), spec_.shuffle_seed, "shuffle", epoch);
    for (std::size_t i = 0; i < places.size(); ++i) order_[i] = indices_[static_cast<std::size_t>(places[i])];
    order_epoch_ = epoch;
  }
  return order_;
}

Status Loader::load_one(std::uint32_t epoch, std::int64_t index, std::span<float> pixels, std::span<float> scratch) const {
  if (auto s = dataset_->read(index, pixels); !s) return s;
  const ImageSize image = dataset_->image();
  if (spec_.augmentation.active())
    apply_transform(draw_transform(spec_.augmentation, image, spec_.augmentation_seed, epoch, index), spec_.augmentation.fill_mode, spec_.augmentation.cval, image, pixels, scratch);
  switch (spec_.standardization) {
    case Standardization::raw: break;
    case Standardization::unit:
      for (float& pixel : pixels) pixel = pixel / 255.0f;
      break;
    case Standardization::tf:
      for (float& pixel : pixels) pixel = pixel / 127.5f - 1.0f;
      break;
  }
  return {};
}

Result<std::int64_t> Loader::load(std::uint32_t epoch, std::int64_t number, std::span<float> images, std::span<std::int32_t> labels) {
  const auto begin = std::chrono::steady_clock::now();
  if (number < 0 || number >= batches_per_epoch()) return invalid_input("batch " + std::to_string(number) + " of an epoch of " + std::to_string(batches_per_epoch()));
  const std::int64_t first = number * spec_.batch, count = std::min(spec_.batch, static_cast<std::int64_t>(indices_.size()) - first);
  const auto elements = static_cast<std::size_t>(element_count(dataset_->image()));
  if (images.size() < elements * static_cast<std::size_t>(count) || labels.size() < static_cast<std::size_t>(count))
    return invalid_input("a batch of " + std::to_string(count) + " images needs room for " + std::to_string(elements * static_cast<std::size_t>(count)) + " numbers and its labels");
  const std::vector<std::int64_t>& order = this->order(epoch);
  std::fill(failures_.begin(), failures_.end(), std::nullopt);
#pragma omp parallel for schedule(dynamic) num_threads(spec_.threads)
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = order[static_cast<std::size_t>(first + i)];
    const auto place = static_cast<std::size_t>(i);
    labels[place] = dataset_->label(index);
    if (auto s = load_one(epoch, index, images.subspan(place * elements, elements), scratch_[static_cast<std::size_t>(omp_get_thread_num())]); !s)
      failures_[place] = s.error();
  }
  input_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const auto& failed : failures_)
    if (failed) return tl::unexpected(*failed);
  return count;
}

}  // namespace detbench
