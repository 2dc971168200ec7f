// Which images train and which validate, and in which order an epoch takes them.
#pragma once

#include <cstdint>
#include <vector>

#include "models/data/dataset.hpp"

namespace detbench {

/// Indices into a dataset, ascending in each part where nothing else is said.
struct Split {
  std::vector<std::int64_t> training, validation;
};

/// ImageDataGenerator's rule for arrays: validation is the first int(n * share) images, training the rest, without a
/// shuffle. Fails, as Keras does, when the two parts do not have the same set of labels: the usual result of a set sorted
/// by label. `share` in [0, 1).
Result<Split> split_arrays(const Dataset& dataset, double share);
/// ImageDataGenerator's rule for directories: within every class, in the order of the files, validation is the first
/// int(share * n_class), training the rest. The parts list class after class, as Keras's iterator does.
Result<Split> split_directories(const Dataset& dataset, double share);
/// Within every class a seeded choice of int(share * n_class + 0.5) images for validation; both parts ascending.
Result<Split> split_stratified(const Dataset& dataset, double share, std::uint64_t seed);

/// A permutation of 0 .. n-1, each of the n! as likely as the others: a pure function of (seed, stream, epoch, n).
/// Fisher and Yates' exchange from the last place down; place i draws from the Philox counter (i, attempt, epoch).
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, std::string_view stream, std::uint32_t epoch);

}  // namespace detbench
