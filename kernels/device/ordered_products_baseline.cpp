#include <utility>

#include "kernels/device/ordered_products.hpp"
#include "kernels/device/soft_fma.hpp"

namespace detbench::ordered {
namespace {

struct V {
  float lane[4];
};
constexpr int lanes = 4, tile_rows_here = 2, depthwise_vectors = 1, depthwise_pixel_vectors = 1, row_vectors_here = 1;
constexpr bool row_in_blocks_here = false;

inline V broadcast(float x) { return {{x, x, x, x}}; }
inline V zero() { return broadcast(0.0f); }
inline V load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
inline V load_some(const float* p, int n) {
  V v = zero();
  for (int i = 0; i < lanes && i < n; ++i) v.lane[i] = p[i];
  return v;
}
inline void store(float* p, V v) {
  for (int i = 0; i < lanes; ++i) p[i] = v.lane[i];
}
inline void store_some(float* p, V v, int n) {
  for (int i = 0; i < lanes && i < n; ++i) p[i] = v.lane[i];
}
inline V fma(V a, V b, V c) {
  for (int i = 0; i < lanes; ++i) c.lane[i] = soft_fma(a.lane[i], b.lane[i], c.lane[i]);
  return c;
}

#include "kernels/device/ordered_products_kernels.inl"

}  // namespace

const Kernels& kernels_baseline() {
  static constexpr Kernels kernels{InstructionSet::baseline, tile_rows_here, tile, outer, depthwise, depthwise_row, depthwise_sums};
  return kernels;
}

}  // namespace detbench::ordered
