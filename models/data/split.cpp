#include "models/data/split.hpp"

#include <algorithm>
#include <set>

#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

Status check_share(double share) {
  if (share >= 0 && share < 1) return {};
  return invalid_input("validation share " + std::to_string(share) + " is not in [0, 1)");
}

std::vector<std::vector<std::int64_t>> by_class(const Dataset& dataset) {
  std::vector<std::vector<std::int64_t>> members(dataset.classes().size());
  for (std::int64_t i = 0; i < dataset.size(); ++i) members[static_cast<std::size_t>(dataset.label(i))].push_back(i);
  return members;
}

/// Uniform in [0, bound), bound < 2^32: values that would favour some results are drawn again (Lemire, "Fast random integer
/// generation in an interval", 2019).
std::uint32_t draw_below(std::uint32_t bound, std::uint64_t index, std::uint32_t epoch, std::uint64_t key) {
  const std::uint32_t threshold = (0u - bound) % bound;
  for (std::uint32_t attempt = 0;; ++attempt)
    for (const std::uint32_t word : philox4x32(index, attempt, epoch, key).w) {
      const std::uint64_t product = std::uint64_t{word} * bound;
      if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
    }
}

}  // namespace

Result<Split> split_arrays(const Dataset& dataset, double share) {
  if (auto s = check_share(share); !s) return tl::unexpected(s.error());
  Split split;
  const auto first = static_cast<std::int64_t>(static_cast<double>(dataset.size()) * share);
  std::set<std::int32_t> training, validation;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    (i < first ? split.validation : split.training).push_back(i);
    (i < first ? validation : training).insert(dataset.label(i));
  }
  if (first > 0 && training != validation)
    return invalid_input("training and validation have different classes after the split (" + std::to_string(training.size()) + " and " +
                         std::to_string(validation.size()) + "): the images are sorted by label; split per class instead");
  return split;
}

Result<Split> split_directories(const Dataset& dataset, double share) {
  if (auto s = check_share(share); !s) return tl::unexpected(s.error());
  Split split;
  for (const auto& members : by_class(dataset)) {
    const auto first = members.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(members.size()));
    split.validation.insert(split.validation.end(), members.begin(), first);
    split.training.insert(split.training.end(), first, members.end());
  }
  return split;
}

Result<Split> split_stratified(const Dataset& dataset, double share, std::uint64_t seed) {
  if (auto s = check_share(share); !s) return tl::unexpected(s.error());
  Split split;
  const auto classes = by_class(dataset);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto& members = classes[c];
    const auto taken = static_cast<std::size_t>(share * static_cast<double>(members.size()) + 0.5);
    // The class in the place of the epoch: every class is chosen from independently.
    const auto order = permutation(static_cast<std::int64_t>(members.size()), seed, "split", static_cast<std::uint32_t>(c));
    for (std::size_t i = 0; i < members.size(); ++i) (i < taken ? split.validation : split.training).push_back(members[static_cast<std::size_t>(order[i])]);
  }
  std::sort(split.validation.begin(), split.validation.end());
  std::sort(split.training.begin(), split.training.end());
  return split;
}

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::string_view stream, std::uint32_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  const std::uint64_t key = stream_key(seed, stream);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draw_below(static_cast<std::uint32_t>(i), i - 1, epoch, key)]);
  return order;
}

}  // namespace detbench
