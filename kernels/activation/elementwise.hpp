// The arithmetic of the element-by-element operations: one functor each, the same for the CPU's loops and a GPU's threads.
// Portable arithmetic alone (sigmoid.hpp), so every device gives the same bits. In 16 bits: widened, computed in f32,
// rounded once.
#pragma once

#include <cstdint>

#include "kernels/activation/kinds.hpp"
#include "kernels/activation/sigmoid.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::activation {

/// What is done element by element: an activation, its gradient, or a sum of two tensors (activation none).
struct Kind {
  Activation activation = Activation::none;
  bool backward = false;
  bool is_sum() const { return activation == Activation::none; }
  bool has_two_inputs() const { return is_sum() || backward; }
  /// Bounds the answer by comparisons alone, so that integers stay integers.
  bool is_exact() const { return activation != Activation::swish && activation != Activation::sigmoid; }
};

/// `Stored` (kernels/reduction/channel_chunks.hpp's StoredF32 and its like) says how elements are stored.
template <class Stored>
struct Arrays {
  using Word = typename Stored::Word;
  const Word *a, *b;  ///< b: the second input where there is one
  Word* out;
};

// The answer for one element of each input; one-input functors ignore b.
struct ReluForward {
  DETBENCH_HOST_DEVICE static float of(float x, float) { return x < 0.0f ? 0.0f : x; }  // NaN stays NaN
};
struct ReluBackward {
  DETBENCH_HOST_DEVICE static float of(float x, float dy) { return x > 0.0f ? dy : 0.0f; }
};
struct Relu6Forward {
  DETBENCH_HOST_DEVICE static float of(float x, float) { return x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x); }
};
struct Relu6Backward {
  DETBENCH_HOST_DEVICE static float of(float x, float dy) { return (x > 0.0f) & (x < 6.0f) ? dy : 0.0f; }
};
struct SwishForward {
  DETBENCH_HOST_DEVICE static float of(float x, float) { return swish_of(x); }
};
struct SwishBackward {
  DETBENCH_HOST_DEVICE static float of(float x, float dy) { return dy * swish_slope_of(x); }
};
struct SigmoidForward {
  DETBENCH_HOST_DEVICE static float of(float x, float) { return sigmoid_of(x); }
};
struct SigmoidBackward {
  DETBENCH_HOST_DEVICE static float of(float x, float dy) { return dy * sigmoid_slope_of(x); }
};
struct Sum {
  DETBENCH_HOST_DEVICE static float of(float a, float b) { return a + b; }
};

/// f(i) for element i.
template <class Stored, class Function, bool TwoInputs>
struct ForElement {
  Arrays<Stored> m;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    // Loaded whether or not it passes: a loop with a conditional load does not vectorize.
    const float b = TwoInputs ? Stored::load(m.b[i]) : 0.0f;
    m.out[i] = Stored::store(Function::of(Stored::load(m.a[i]), b));
  }
};

/// Calls f with the functor of a kind.
template <class Stored, class F>
[[gnu::always_inline]] inline auto with_functor(Kind kind, const Arrays<Stored>& arrays, F&& f) {
  switch (kind.activation) {
    case Activation::relu:
      if (kind.backward) return f(ForElement<Stored, ReluBackward, true>{arrays});
      return f(ForElement<Stored, ReluForward, false>{arrays});
    case Activation::relu6:
      if (kind.backward) return f(ForElement<Stored, Relu6Backward, true>{arrays});
      return f(ForElement<Stored, Relu6Forward, false>{arrays});
    case Activation::swish:
      if (kind.backward) return f(ForElement<Stored, SwishBackward, true>{arrays});
      return f(ForElement<Stored, SwishForward, false>{arrays});
    case Activation::sigmoid:
      if (kind.backward) return f(ForElement<Stored, SigmoidBackward, true>{arrays});
      return f(ForElement<Stored, SigmoidForward, false>{arrays});
    default: return f(ForElement<Stored, Sum, true>{arrays});
  }
}

}  // namespace detbench::activation
