// Chunks of the fixed tree in lanes that keep more than a running sum, vectorized.
#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/summand_vectors.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::reduction {
namespace {

// The additions of lane_accumulators.hpp on vectors.
template <class A, class Vector>
DETBENCH_INLINE void add_vector(KahanLane<A>*, Vector& sum, Vector& loss, const Vector& value) {
  const Vector corrected = value - loss, total = sum + corrected;
  loss = (total - sum) - corrected;
  sum = total;
}
template <class A, class Vector>
DETBENCH_INLINE void add_vector(NeumaierLane<A>*, Vector& sum, Vector& loss, const Vector& value) {
  const Vector total = sum + value, value_there = total - sum;
  loss -= (sum - (total - value_there)) + (value - value_there);
  sum = total;
}
template <class Vector>
DETBENCH_INLINE void add_vector(WideLane*, Vector& sum, Vector&, const Vector& value) {
  sum += value;
}

template <class Lane, class Source, int Bytes>
DETBENCH_INLINE void load_for(typename Simd<typename Lane::Summand, Bytes>::Vector& value, const Source& source, std::int64_t i) {
  if constexpr (Lane::is_wide)
    load_wide<Bytes>(value, source, i);
  else
    load_summands<Bytes>(value, source, i);
}

template <class Lane, class Source, int Bytes>
DETBENCH_INLINE typename Lane::Node node_body(const Source& source, std::int64_t n) {
  using A = typename Lane::Summand;
  using V = Simd<A, Bytes>;
  constexpr bool keeps_loss = !Lane::is_wide;
  // As many lanes at a time as registers hold: four vectors of sums and four of losses, or eight of sums.
  constexpr int vectors = std::min(keeps_loss ? 4 : 8, lane_count / V::width);
  alignas(64) A sums[lane_count], losses[lane_count];
  const std::int64_t rows = n / lane_count;
  for (int first = 0; first < lane_count; first += vectors * V::width) {
    typename V::Vector sum[vectors], loss[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[v] = -typename V::Vector{}, loss[v] = typename V::Vector{};
    for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        typename V::Vector value;
        load_for<Lane, Source, Bytes>(value, source, row * lane_count + first + v * V::width);
        add_vector(static_cast<Lane*>(nullptr), sum[v], loss[v], value);
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      V::store(sums + first + v * V::width, sum[v]);
      V::store(losses + first + v * V::width, loss[v]);
    }
  }
  for (std::int64_t i = rows * lane_count; i < n; ++i) {
    Lane lane;
    lane.sum = sums[i % lane_count];
    if constexpr (keeps_loss) lane.loss = losses[i % lane_count];
    lane.add(lane_summand<Lane>(source, i));
    sums[i % lane_count] = lane.sum;
    if constexpr (keeps_loss) losses[i % lane_count] = lane.loss;
  }
  // Nodes and their fold, in loops that the compiler turns into vectors.
  if constexpr (sizeof(typename Lane::Node) == sizeof(double)) {
    alignas(64) double nodes[lane_count];
    if constexpr (keeps_loss)
      for (int lane = 0; lane < lane_count; ++lane)
        nodes[lane] = static_cast<double>(sums[lane]) - static_cast<double>(losses[lane]);
    else
      for (int lane = 0; lane < lane_count; ++lane) nodes[lane] = sums[lane];
#pragma GCC unroll 6
    for (int stride = lane_count / 2; stride > 0; stride /= 2)
      for (int lane = 0; lane < stride; ++lane) nodes[lane] += nodes[lane + stride];
    return nodes[0];
  } else {
#pragma GCC unroll 6
    for (int stride = lane_count / 2; stride > 0; stride /= 2)
      for (int lane = 0; lane < stride; ++lane) {  // CompensatedNode's addition
        const A a = sums[lane], b = sums[lane + stride], total = a + b, b_there = total - a;
        losses[lane] = (losses[lane] + losses[lane + stride]) - ((a - (total - b_there)) + (b - b_there));
        sums[lane] = total;
      }
    return {sums[0], losses[0]};
  }
}

template <class Lane, class Source>
typename Lane::Node node_baseline(const Source& source, std::int64_t n) {
  return node_body<Lane, Source, 16>(source, n);
}
template <class Lane, class Source>
DETBENCH_TARGET_AVX2 typename Lane::Node node_avx2(const Source& source, std::int64_t n) {
  return node_body<Lane, Source, 32>(source, n);
}
template <class Lane, class Source>
DETBENCH_TARGET_AVX512 typename Lane::Node node_avx512(const Source& source, std::int64_t n) {
  return node_body<Lane, Source, 64>(source, n);
}

}  // namespace

template <class Lane, class Source>
typename Lane::Node chunk_node(const Source& source, std::int64_t n, Isa isa) {
  switch (isa) {
    case Isa::avx512: return node_avx512<Lane>(source, n);
    case Isa::avx2: return node_avx2<Lane>(source, n);
    default: return node_baseline<Lane>(source, n);
  }
}

#define DETBENCH_CHUNK_NODE(Lane, Source) template Lane::Node chunk_node<Lane, Source>(const Source&, std::int64_t, Isa);
#define DETBENCH_COMPENSATED_NODES(Source)                             \
  DETBENCH_CHUNK_NODE(KahanLane<Source::Accumulator>, Source)    \
  DETBENCH_CHUNK_NODE(NeumaierLane<Source::Accumulator>, Source)
DETBENCH_FOR_EACH_SOURCE(DETBENCH_COMPENSATED_NODES)
DETBENCH_CHUNK_NODE(WideLane, Elements<float>)
DETBENCH_CHUNK_NODE(WideLane, Elements<F16Bits>)
DETBENCH_CHUNK_NODE(WideLane, Elements<Bf16Bits>)
DETBENCH_CHUNK_NODE(WideLane, Products<float>)
DETBENCH_CHUNK_NODE(WideLane, Products<F16Bits>)
DETBENCH_CHUNK_NODE(WideLane, Products<Bf16Bits>)

}  // namespace detbench::reduction
