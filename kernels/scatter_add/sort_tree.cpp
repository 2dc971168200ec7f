// Sort, then the fixed tree of segment_sum.hpp in each bin: an order that vectors and a GPU's threads can follow, where
// index order would leave one of them waiting for each addition.
#include <cstring>

#include "kernels/reduction/lane_sums.hpp"
#include "kernels/scatter_add/segment_sum.hpp"
#include "kernels/scatter_add/sorted_bins.hpp"
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {
namespace {

using reduction::chunk_elements;
using reduction::lane_count;

template <class T>
T tree_of_values(const T* values, std::int64_t count, reduction::Isa isa) {
  if (count == 0) return T(0);
  if (count == 1) return T(0) + values[0];
  if (count < lane_count) {
    T lanes[lane_count];
    std::memcpy(lanes, values, static_cast<std::size_t>(count) * sizeof(T));
    fold_few(lanes, static_cast<int>(count));
    return T(0) + lanes[0];
  }
  reduction::PairJoiner<T> chunks;
  for (std::int64_t first = 0; first < count; first += chunk_elements)
    chunks.add(reduction::lane_sum(values + first, std::min(chunk_elements, count - first), isa));
  return T(0) + chunks.root();
}

/// Columns column .. column + width - 1 of a bin's rows, side by side.
template <class T>
void trees_of_rows(const ScatterCall& call, std::int64_t bin, const std::uint32_t* updates, std::int64_t count, std::int64_t column, int width) {
  constexpr int most = 32;
  T lanes[lane_count * most], buffer[most];
  reduction::PairJoiner<T> chunks[most];
  for (std::int64_t first = 0; first < count; first += chunk_elements) {
    const std::int64_t rows = std::min(chunk_elements, count - first);
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* values = read_values(call, updates[first + row] * call.width + column, width, buffer);
      T* lane = lanes + row % lane_count * width;
      // A lane begins as -0, the identity of addition, so its first value is its sum.
      if (row < lane_count) std::copy(values, values + width, lane);
      else
        for (int j = 0; j < width; ++j) lane[j] += values[j];
    }
    fold_few(lanes, static_cast<int>(std::min<std::int64_t>(rows, lane_count)), width);
    for (int j = 0; j < width; ++j) chunks[j].add(lanes[j]);
  }
  for (int j = 0; j < width; ++j) store_sum(call, count == 0 ? T(0) : T(0) + chunks[j].root(), bin * call.width + column + j);
}

template <class T>
Status sort_and_sum(const ScatterCall& call) {
  const reduction::Isa isa = reduction::best_isa();
  if (call.width == 1) {
    for_sorted_bins<T>(call, [&](std::int64_t bin, const T* values, std::int64_t count) { store_sum(call, tree_of_values(values, count, isa), bin); });
    return {};
  }
  for_sorted_bins<std::uint32_t>(call, [&](std::int64_t bin, const std::uint32_t* updates, std::int64_t count) {
    for (std::int64_t column = 0; column < call.width; column += 32)
      trees_of_rows<T>(call, bin, updates, count, column, static_cast<int>(std::min<std::int64_t>(32, call.width - column)));
  });
  return {};
}

}  // namespace

ScatterAlgorithm sort_tree() {
  return {"sort_tree", reduction::claim_by_construction("stable sort by bin, fixed tree in each bin"),
          [](const ScatterCall& call) { return with_accumulator(call, [&](auto zero) { return sort_and_sum<decltype(zero)>(call); }); }, sorted_bins_bytes};
}

}  // namespace detbench::scatter_add
