// Which summands a CUDA thread takes and in which order: four neighbours at a time, many such loads in flight before the first
// is used. No CUDA in it but the loads themselves, so that tests play grids through on the host with the very same code.
//
// Why so many: by Little's law a multiprocessor of an H200 (4.8 TB/s over 132 of them, 1.75 GHz: 21 bytes a cycle) has to have
// some 20 to 30 KiB on their way at all times, with 1000 to 1400 cycles from HBM under load. A thread may ask for 128 bytes
// before it uses the first; as nvcc 13.0 schedules it for sm_90, at least 64 of them are on their way together and f32 needs
// 32 to 42 registers, so that six blocks of 256 threads have 96 KiB on their way: three times what is needed, which pays for
// the cycles in which a warp adds instead of loading. Arithmetic is no bound: 5.2 f32 summands a cycle arrive at a
// multiprocessor that adds 128 in one.
#pragma once

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/lane_accumulators.hpp"
#include "kernels/reduction/summands.hpp"

#ifdef __CUDA_ARCH__
#define DETBENCH_UNROLL _Pragma("unroll")
#define DETBENCH_UNROLL_ONCE _Pragma("unroll 1")
#else
#define DETBENCH_UNROLL
#define DETBENCH_UNROLL_ONCE
#endif

namespace detbench::reduction {

// Four stored values by one load, two for f64. `from` is aligned to what loads_wide() asks.
template <class S>
DETBENCH_HOST_DEVICE inline void load_stored(const S* from, S (&to)[4]) {
#ifdef __CUDA_ARCH__
  if constexpr (sizeof(S) == 8) {
    const double2 a = __ldg(reinterpret_cast<const double2*>(from)), b = __ldg(reinterpret_cast<const double2*>(from) + 1);
    to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y;
  } else if constexpr (sizeof(S) == 4) {
    const float4 v = __ldg(reinterpret_cast<const float4*>(from));
    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    const ushort4 v = __ldg(reinterpret_cast<const ushort4*>(from));
    to[0] = S{v.x}, to[1] = S{v.y}, to[2] = S{v.z}, to[3] = S{v.w};
  }
#else
  for (int k = 0; k < 4; ++k) to[k] = from[k];
#endif
}

/// Four neighbouring summands as they are stored: loading is apart from computing, so that loads can be collected.
template <class Source>
struct StoredFour;
template <class S>
struct StoredFour<Elements<S>> {
  S x[4];
  DETBENCH_HOST_DEVICE void load(const Elements<S>& source, std::int64_t i) { load_stored(source.x + i, x); }
  /// From any address, and zeros in place of what lies beyond the end.
  DETBENCH_HOST_DEVICE void load_any(const Elements<S>& source, std::int64_t i, std::int64_t n) {
    DETBENCH_UNROLL
    for (int k = 0; k < 4; ++k) x[k] = i + k < n ? source.x[i + k] : S{};
  }
  template <class Lane>
  DETBENCH_HOST_DEVICE typename Lane::Summand summand(int k) const {
    if constexpr (Lane::is_wide)
      return Elements<S>::wide_summand(x[k]);
    else
      return Elements<S>::summand(x[k]);
  }
};
template <class S>
struct StoredFour<Products<S>> {
  S x[4], y[4];
  DETBENCH_HOST_DEVICE void load(const Products<S>& source, std::int64_t i) {
    load_stored(source.x + i, x);
    load_stored(source.y + i, y);
  }
  DETBENCH_HOST_DEVICE void load_any(const Products<S>& source, std::int64_t i, std::int64_t n) {
    DETBENCH_UNROLL
    for (int k = 0; k < 4; ++k) {
      x[k] = i + k < n ? source.x[i + k] : S{};
      y[k] = i + k < n ? source.y[i + k] : S{};
    }
  }
  template <class Lane>
  DETBENCH_HOST_DEVICE typename Lane::Summand summand(int k) const {
    if constexpr (Lane::is_wide)
      return Products<S>::wide_summand(x[k], y[k]);
    else
      return Products<S>::summand(x[k], y[k]);
  }
};

/// Fours that a thread loads before it uses the first: 128 bytes.
template <class Source>
inline constexpr int fours_in_flight = 128 / static_cast<int>(sizeof(StoredFour<Source>));

/// Whether load_stored() may read this source. A shifted buffer (placement scope) is read element by element instead, into
/// the same lanes in the same order: slower, with the same bits. Every launch asks once, so the branch is uniform.
template <class S>
bool is_loaded_wide(const S* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % (sizeof(S) == 2 ? 8 : 16) == 0;
}
template <class S>
bool loads_wide(const Elements<S>& source) {
  return is_loaded_wide(source.x);
}
template <class S>
bool loads_wide(const Products<S>& source) {
  return is_loaded_wide(source.x) && is_loaded_wide(source.y);
}

/// One thread's summands when `threads` of them stride over n in fours: thread t takes fours t, t + threads, ... and adds
/// element k of each to lanes[k], in this order.
template <class Source, class Lane>
DETBENCH_HOST_DEVICE inline void add_strided(const Source& source, std::int64_t n, bool wide, std::int64_t thread,
                                            std::int64_t threads, Lane (&lanes)[4]) {
  constexpr int batch = fours_in_flight<Source>;
  const std::int64_t whole = n / 4;
  std::int64_t four = thread;
  if (wide) {
    for (; four + (batch - 1) * threads < whole; four += batch * threads) {
      StoredFour<Source> stored[batch];
      DETBENCH_UNROLL
      for (int b = 0; b < batch; ++b) stored[b].load(source, (four + b * threads) * 4);
      DETBENCH_UNROLL
      for (int b = 0; b < batch; ++b)
        DETBENCH_UNROLL
        for (int k = 0; k < 4; ++k) lanes[k].add(stored[b].template summand<Lane>(k));
    }
    // Less than a batch is left: vectors of a few million elements have nothing else, so this part is in flight together too.
    StoredFour<Source> stored[batch] = {};
    DETBENCH_UNROLL
    for (int b = 0; b < batch - 1; ++b)
      if (four + b * threads < whole) stored[b].load(source, (four + b * threads) * 4);
    DETBENCH_UNROLL
    for (int b = 0; b < batch - 1; ++b)
      if (four + b * threads < whole)
        DETBENCH_UNROLL
        for (int k = 0; k < 4; ++k) lanes[k].add(stored[b].template summand<Lane>(k));
    while (four < whole) four += threads;
  }
  DETBENCH_UNROLL_ONCE
  for (; four * 4 < n; four += threads)
    DETBENCH_UNROLL
    for (int k = 0; k < 4; ++k)
      if (four * 4 + k < n) lanes[k].add(lane_summand<Lane>(source, four * 4 + k));
}

/// The four lanes of one thread: strides 2 and 1.
template <class Lane>
DETBENCH_HOST_DEVICE inline typename Lane::Node fold_lanes_of_thread(const Lane (&lanes)[4]) {
  return (lanes[0].node() + lanes[2].node()) + (lanes[1].node() + lanes[3].node());
}

/// The sum of one thread's share, in the order of grid_shares.hpp when the grid is its.
template <class Source>
DETBENCH_HOST_DEVICE inline typename Source::Accumulator strided_share(const Source& source, std::int64_t n, bool wide,
                                                                       std::int64_t thread, std::int64_t threads) {
  PlainLane<typename Source::Accumulator> lanes[4];
  add_strided(source, n, wide, thread, threads, lanes);
  return fold_lanes_of_thread(lanes);
}

// The tiles that the fixed tree is cut into on a GPU.
inline constexpr int tile_threads = 256;  ///< of the block that sums a tile
inline constexpr int tile_chunks = chunks_per_block(tile_threads);
static_assert((tile_chunks & (tile_chunks - 1)) == 0, "a tile must be a node of the tree");

constexpr std::int64_t tile_elements = tile_chunks * chunk_elements;
DETBENCH_HOST_DEVICE constexpr std::int64_t tile_count(std::int64_t n) { return (n + tile_elements - 1) / tile_elements; }

/// Step 1 for one thread: four lanes down the rows of a chunk that lies inside the vector.
template <class Source, class Lane>
DETBENCH_HOST_DEVICE inline void add_whole_chunk(const Source& source, std::int64_t chunk, int first_lane,
                                                Lane (&lanes)[lanes_per_thread]) {
  constexpr int batch = fours_in_flight<Source>;
  static_assert(lanes_per_thread == 4 && chunk_rows % batch == 0);
  DETBENCH_UNROLL_ONCE
  for (int first = 0; first < chunk_rows; first += batch) {
    StoredFour<Source> stored[batch];
    DETBENCH_UNROLL
    for (int row = 0; row < batch; ++row) stored[row].load(source, element_index(chunk, first + row, first_lane));
    DETBENCH_UNROLL
    for (int row = 0; row < batch; ++row)
      DETBENCH_UNROLL
      for (int i = 0; i < 4; ++i) lanes[i].add(stored[row].template summand<Lane>(i));
  }
}

/// The same element by element: at the end of the vector and in shifted buffers.
template <class Source, class Lane>
DETBENCH_HOST_DEVICE inline void add_any_chunk(const Source& source, std::int64_t n, std::int64_t chunk, int first_lane,
                                              Lane (&lanes)[lanes_per_thread]) {
  DETBENCH_UNROLL_ONCE
  for (int row = 0; row < chunk_rows; ++row) {
    const std::int64_t index = element_index(chunk, row, first_lane);
    DETBENCH_UNROLL
    for (int i = 0; i < lanes_per_thread; ++i)
      if (index + i < n) lanes[i].add(lane_summand<Lane>(source, index + i));
  }
}

}  // namespace detbench::reduction
