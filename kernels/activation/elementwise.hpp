// The arithmetic of the element-by-element operations: one functor each, the same for the CPU's loops and a GPU's threads.
// Portable arithmetic alone (kernels/tensor/portable_math.hpp), so every device gives the same bits.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/portable_math.hpp"

namespace detbench::activation {

enum class Kind { relu6_forward, relu6_backward, swish_forward, swish_backward, sum };

struct Arrays {
  const float *a, *b;  ///< b: the second input where there is one
  float* out;
};

struct Relu6Forward {
  Arrays m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const float x = m.a[i];
    m.out[i] = x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x);  // NaN stays NaN
  }
};
struct Relu6Backward {
  Arrays m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const float x = m.a[i], dy = m.b[i];  // loaded whether or not it passes: a loop with a conditional load does not vectorize
    m.out[i] = (x > 0.0f) & (x < 6.0f) ? dy : 0.0f;
  }
};
struct SwishForward {
  Arrays m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    m.out[i] = m.a[i] * portable::sigmoid(m.a[i]);
  }
};
/// d(x s)/dx = s + x s (1 - s) = s (1 + x (1 - s)). 1 - s is s of -x, which keeps its bits where s rounds to 1.
struct SwishBackward {
  Arrays m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const float x = m.a[i];
    m.out[i] = m.b[i] * (portable::sigmoid(x) * (1.0f + x * portable::sigmoid(-x)));
  }
};
struct Sum {
  Arrays m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    m.out[i] = m.a[i] + m.b[i];
  }
};

/// Calls f with the functor of a kind.
template <class F>
[[gnu::always_inline]] inline auto with_functor(Kind kind, const Arrays& arrays, F&& f) {
  switch (kind) {
    case Kind::relu6_forward: return f(Relu6Forward{arrays});
    case Kind::relu6_backward: return f(Relu6Backward{arrays});
    case Kind::swish_forward: return f(SwishForward{arrays});
    case Kind::swish_backward: return f(SwishBackward{arrays});
    default: return f(Sum{arrays});
  }
}

}  // namespace detbench::activation
