// Included by kernels_baseline.cpp, kernels_avx2.cpp and kernels_avx512.cpp inside their own anonymous namespace, with
// `native` floats per vector register. No standard header may be included here: an inline function compiled for AVX-512
// could otherwise be the copy that the linker keeps for the whole program.

template <int W>
struct VectorOf {
  typedef float Float __attribute__((vector_size(W * 4)));
  typedef unsigned Bits __attribute__((vector_size(W * 4)));
};
template <int W>
using Vector = typename VectorOf<W>::Float;
template <int W>
using Bits = typename VectorOf<W>::Bits;

#include "kernels/activation/sigmoid.inl"

template <int W>
inline Vector<W> load(const float* p) {
  Vector<W> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int W>
inline void store(float* p, Vector<W> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

template <Activation A, int W>
inline Vector<W> activated(Vector<W> y) {
  const Vector<W> zero = {};
  // y < 0 first: a NaN fails both comparisons and stays a NaN.
  if constexpr (A == Activation::relu) return y < zero ? zero : y;
  if constexpr (A == Activation::relu6) {
    const Vector<W> six = zero + 6.0f;
    y = y < zero ? zero : y;
    return y > six ? six : y;
  }
  if constexpr (A == Activation::swish) return swish<Vector<W>, Bits<W>>(y);
  return y;
}
/// The gradient behind the activation becomes the one before it.
template <Activation A, int W>
inline Vector<W> through(Vector<W> dy, Vector<W> y) {
  const Vector<W> zero = {};
  if constexpr (A == Activation::relu) return y > zero ? dy : zero;
  if constexpr (A == Activation::relu6) {
    const Vector<W> below = y < zero + 6.0f ? dy : zero;
    return y > zero ? below : zero;
  }
  if constexpr (A == Activation::swish) return dy * swish_slope<Vector<W>, Bits<W>>(y);
  return dy;
}

template <Activation A>
struct Is {
  static constexpr Activation value = A;
};
/// Calls f with the activation as a type; batch norm has no others.
template <class F>
inline void with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::relu: return f(Is<Activation::relu>{});
    case Activation::relu6: return f(Is<Activation::relu6>{});
    case Activation::swish: return f(Is<Activation::swish>{});
    default: return f(Is<Activation::none>{});
  }
}

/// Calls piece(std::integral width, first channel) over `width` channels, widest pieces first. Channels never meet, so
/// how they are cut into vectors cannot change a bit.
template <int W>
struct Width {
  static constexpr int value = W;
};
template <class Piece>
inline void pieces(long width, Piece piece) {
  long c = 0;
  if constexpr (native >= 16)
    for (; width - c >= 16; c += 16) piece(Width<16>{}, c);
  if constexpr (native >= 8)
    for (; width - c >= 8; c += 8) piece(Width<8>{}, c);
  for (; width - c >= 4; c += 4) piece(Width<4>{}, c);
  for (; c < width; ++c) piece(Width<1>{}, c);
}

/// Pixels one by one until the lanes are aligned, then eight at a time in registers, then the rest one by one.
/// `add(accumulator value, pixel)` returns the new value.
template <int W, class Add>
inline void accumulate(long pixels, int lane, float* accumulator, Add add) {
  long p = 0;
  for (; p < pixels && lane != 0; ++p, lane = (lane + 1) % lanes) {
    float* a = accumulator + lane * group;
    store<W>(a, add(load<W>(a), p));
  }
  if (p + lanes <= pixels) {
    Vector<W> a0 = load<W>(accumulator), a1 = load<W>(accumulator + group), a2 = load<W>(accumulator + 2 * group),
              a3 = load<W>(accumulator + 3 * group), a4 = load<W>(accumulator + 4 * group),
              a5 = load<W>(accumulator + 5 * group), a6 = load<W>(accumulator + 6 * group),
              a7 = load<W>(accumulator + 7 * group);
    for (; p + lanes <= pixels; p += lanes) {
      a0 = add(a0, p), a1 = add(a1, p + 1), a2 = add(a2, p + 2), a3 = add(a3, p + 3);
      a4 = add(a4, p + 4), a5 = add(a5, p + 5), a6 = add(a6, p + 6), a7 = add(a7, p + 7);
    }
    store<W>(accumulator, a0), store<W>(accumulator + group, a1), store<W>(accumulator + 2 * group, a2);
    store<W>(accumulator + 3 * group, a3), store<W>(accumulator + 4 * group, a4), store<W>(accumulator + 5 * group, a5);
    store<W>(accumulator + 6 * group, a6), store<W>(accumulator + 7 * group, a7);
  }
  for (; p < pixels; ++p, ++lane) {
    float* a = accumulator + lane * group;
    store<W>(a, add(load<W>(a), p));
  }
}

/// The same for two sums whose terms come together: terms(pixel, first term, second term). Sixteen accumulators fit the
/// registers of AVX-512; elsewhere four lanes at a time, so that eight of them and what the terms need fit: each element is
/// visited once all the same.
template <int W, class Terms>
inline void accumulate_eight(long pixels, long p, float* first, float* second, Terms terms) {
  Vector<W> a0 = load<W>(first), a1 = load<W>(first + group), a2 = load<W>(first + 2 * group), a3 = load<W>(first + 3 * group),
            a4 = load<W>(first + 4 * group), a5 = load<W>(first + 5 * group), a6 = load<W>(first + 6 * group), a7 = load<W>(first + 7 * group);
  Vector<W> b0 = load<W>(second), b1 = load<W>(second + group), b2 = load<W>(second + 2 * group), b3 = load<W>(second + 3 * group),
            b4 = load<W>(second + 4 * group), b5 = load<W>(second + 5 * group), b6 = load<W>(second + 6 * group), b7 = load<W>(second + 7 * group);
  const auto step = [&](Vector<W>& a, Vector<W>& b, long pixel) {
    Vector<W> u, v;
    terms(pixel, u, v);
    a = a + u, b = b + v;
  };
  for (; p + lanes <= pixels; p += lanes) {
    step(a0, b0, p), step(a1, b1, p + 1), step(a2, b2, p + 2), step(a3, b3, p + 3);
    step(a4, b4, p + 4), step(a5, b5, p + 5), step(a6, b6, p + 6), step(a7, b7, p + 7);
  }
  store<W>(first, a0), store<W>(first + group, a1), store<W>(first + 2 * group, a2), store<W>(first + 3 * group, a3);
  store<W>(first + 4 * group, a4), store<W>(first + 5 * group, a5), store<W>(first + 6 * group, a6), store<W>(first + 7 * group, a7);
  store<W>(second, b0), store<W>(second + group, b1), store<W>(second + 2 * group, b2), store<W>(second + 3 * group, b3);
  store<W>(second + 4 * group, b4), store<W>(second + 5 * group, b5), store<W>(second + 6 * group, b6), store<W>(second + 7 * group, b7);
}
template <int W, int first_lane, class Terms>
inline void accumulate_four(long pixels, long p, float* first, float* second, Terms terms) {
  float *one = first + first_lane * group, *two = second + first_lane * group;
  Vector<W> a0 = load<W>(one), a1 = load<W>(one + group), a2 = load<W>(one + 2 * group), a3 = load<W>(one + 3 * group);
  Vector<W> b0 = load<W>(two), b1 = load<W>(two + group), b2 = load<W>(two + 2 * group), b3 = load<W>(two + 3 * group);
  const auto step = [&](Vector<W>& a, Vector<W>& b, long pixel) {
    Vector<W> u, v;
    terms(pixel, u, v);
    a = a + u, b = b + v;
  };
  for (; p + lanes <= pixels; p += lanes) {
    step(a0, b0, p + first_lane), step(a1, b1, p + first_lane + 1);
    step(a2, b2, p + first_lane + 2), step(a3, b3, p + first_lane + 3);
  }
  store<W>(one, a0), store<W>(one + group, a1), store<W>(one + 2 * group, a2), store<W>(one + 3 * group, a3);
  store<W>(two, b0), store<W>(two + group, b1), store<W>(two + 2 * group, b2), store<W>(two + 3 * group, b3);
}
template <int W, class Terms>
inline void accumulate_two(long pixels, int lane, float* first, float* second, Terms terms) {
  const auto single = [&](long p, int l) {
    Vector<W> u, v;
    terms(p, u, v);
    store<W>(first + l * group, load<W>(first + l * group) + u);
    store<W>(second + l * group, load<W>(second + l * group) + v);
  };
  long p = 0;
  for (; p < pixels && lane != 0; ++p, lane = (lane + 1) % lanes) single(p, lane);
  if (p + lanes <= pixels) {
    if constexpr (native >= 16) {
      accumulate_eight<W>(pixels, p, first, second, terms);
    } else {
      accumulate_four<W, 0>(pixels, p, first, second, terms);
      accumulate_four<W, 4>(pixels, p, first, second, terms);
    }
    p += (pixels - p) / lanes * lanes;
  }
  for (; p < pixels; ++p, ++lane) single(p, lane);
}

void sum(const float* x, long stride, long pixels, int lane, int width, float* accumulator) {
  pieces(width, [&](auto w, long c) {
    constexpr int W = decltype(w)::value;
    accumulate<W>(pixels, lane, accumulator + c, [&](Vector<W> a, long p) { return a + load<W>(x + p * stride + c); });
  });
}

void squares(const float* x, long stride, long pixels, int lane, int width, const float* center, float* accumulator) {
  pieces(width, [&](auto w, long c) {
    constexpr int W = decltype(w)::value;
    const Vector<W> middle = load<W>(center + c);
    accumulate<W>(pixels, lane, accumulator + c, [&](Vector<W> a, long p) {
      const Vector<W> d = load<W>(x + p * stride + c) - middle;
      return a + d * d;
    });
  });
}

void gradients(const float* x, const float* dy, long stride, long pixels, int lane, int width, const GradientConstants& k,
               Activation activation, float* kept, float* sum_dy, float* sum_dyx) {
  with_activation(activation, [&](auto is) {
    constexpr Activation A = decltype(is)::value;
    pieces(width, [&](auto w, long c) {
      constexpr int W = decltype(w)::value;
      const Vector<W> mean = load<W>(k.mean + c), scale = load<W>(k.scale + c), shift = load<W>(k.shift + c);
      accumulate_two<W>(pixels, lane, sum_dy + c, sum_dyx + c, [&](long p, Vector<W>& d, Vector<W>& product) {
        const Vector<W> value = load<W>(x + p * stride + c);
        d = through<A, W>(load<W>(dy + p * stride + c), value * scale + shift);
        product = d * (value - mean);
        if constexpr (A == Activation::swish) store<W>(kept + p * stride + c, d);
      });
    });
  });
}

/// Every pixel of a run, element by element. Wide rows are walked pixel by pixel, as they lie in memory; a single block of
/// channels keeps its constants in registers for the whole run.
template <class Each>
inline void for_elements(long pixels, long width, Each each) {
  if (width <= group)
    pieces(width, [&](auto w, long c) {
      for (long p = 0; p < pixels; ++p) each(w, p, c);
    });
  else
    for (long p = 0; p < pixels; ++p) pieces(width, [&](auto w, long c) { each(w, p, c); });
}

void apply(const float* x, float* y, long stride, long pixels, long width, const float* scale, const float* shift, Activation activation) {
  with_activation(activation, [&](auto is) {
    for_elements(pixels, width, [&](auto w, long p, long c) {
      constexpr int W = decltype(w)::value;
      store<W>(y + p * stride + c, activated<decltype(is)::value, W>(load<W>(x + p * stride + c) * load<W>(scale + c) + load<W>(shift + c)));
    });
  });
}

void apply_gradient(const float* x, const float* dy, float* dx, long stride, long pixels, long width, const GradientConstants& k, Activation activation) {
  with_activation(activation, [&](auto is) {
    constexpr Activation A = decltype(is)::value;
    for_elements(pixels, width, [&](auto w, long p, long c) {
      constexpr int W = decltype(w)::value;
      const Vector<W> value = load<W>(x + p * stride + c);
      Vector<W> d = load<W>(dy + p * stride + c);
      if constexpr (A != Activation::none) d = through<A, W>(d, value * load<W>(k.scale + c) + load<W>(k.shift + c));
      store<W>(dx + p * stride + c,
               load<W>(k.factor + c) * ((d - load<W>(k.offset + c)) - (value - load<W>(k.mean + c)) * load<W>(k.slope + c)));
    });
  });
}

void through_all(const float* x, const float* dy, float* out, long stride, long pixels, long width, const float* scale, const float* shift,
                 Activation activation) {
  with_activation(activation, [&](auto is) {
    for_elements(pixels, width, [&](auto w, long p, long c) {
      constexpr int W = decltype(w)::value;
      const Vector<W> y = load<W>(x + p * stride + c) * load<W>(scale + c) + load<W>(shift + c);
      store<W>(out + p * stride + c, through<decltype(is)::value, W>(load<W>(dy + p * stride + c), y));
    });
  });
}

// Planes: eight neighbouring pixels are the eight lanes. Vectors of eight on every instruction set, so that a lane is a
// lane; the compiler splits them where registers are narrower.
template <class Vectors, class Single>
inline void plane_accumulate(long pixels, int lane, float* accumulator, Vectors vectors, Single single) {
  long p = 0;
  for (; p < pixels && lane != 0; ++p, lane = (lane + 1) % lanes) accumulator[lane] += single(p);
  if (p + lanes <= pixels) {
    Vector<lanes> a = load<lanes>(accumulator);
    for (; p + lanes <= pixels; p += lanes) a = a + vectors(p);
    store<lanes>(accumulator, a);
  }
  for (; p < pixels; ++p, ++lane) accumulator[lane] += single(p);
}

/// Calls each(width, pixel) over a run: vectors of eight pixels, then single ones.
template <class Each>
inline void plane_pieces(long pixels, Each each) {
  long p = 0;
  for (; p + lanes <= pixels; p += lanes) each(Width<lanes>{}, p);
  for (; p < pixels; ++p) each(Width<1>{}, p);
}

void plane_sum(const float* x, long pixels, int lane, float* accumulator) {
  plane_accumulate(pixels, lane, accumulator, [&](long p) { return load<lanes>(x + p); }, [&](long p) { return x[p]; });
}
void plane_squares(const float* x, long pixels, int lane, float center, float* accumulator) {
  plane_accumulate(pixels, lane, accumulator,
                   [&](long p) { const Vector<lanes> d = load<lanes>(x + p) - center; return d * d; },
                   [&](long p) { const float d = x[p] - center; return d * d; });
}
void plane_gradients(const float* x, const float* dy, long pixels, int lane, float mean, float scale, float shift, Activation activation,
                     float* kept, float* sum_dy, float* sum_dyx) {
  with_activation(activation, [&](auto is) {
    const auto terms = [&](auto w, long p, auto& d, auto& product) {
      constexpr int W = decltype(w)::value;
      const Vector<W> value = load<W>(x + p);
      d = through<decltype(is)::value, W>(load<W>(dy + p), value * scale + shift);
      product = d * (value - mean);
      if constexpr (decltype(is)::value == Activation::swish) store<W>(kept + p, d);
    };
    const auto single = [&](long p, int l) {
      Vector<1> d, product;
      terms(Width<1>{}, p, d, product);
      sum_dy[l] += d[0], sum_dyx[l] += product[0];
    };
    long p = 0;
    int l = lane;
    for (; p < pixels && l != 0; ++p, l = (l + 1) % lanes) single(p, l);
    Vector<lanes> a = load<lanes>(sum_dy), b = load<lanes>(sum_dyx);
    for (; p + lanes <= pixels; p += lanes) {
      Vector<lanes> d, product;
      terms(Width<lanes>{}, p, d, product);
      a = a + d, b = b + product;
    }
    store<lanes>(sum_dy, a), store<lanes>(sum_dyx, b);
    for (; p < pixels; ++p, ++l) single(p, l);
  });
}
void plane_apply(const float* x, float* y, long pixels, float scale, float shift, Activation activation) {
  with_activation(activation, [&](auto is) {
    plane_pieces(pixels, [&](auto w, long p) {
      constexpr int W = decltype(w)::value;
      store<W>(y + p, activated<decltype(is)::value, W>(load<W>(x + p) * scale + shift));
    });
  });
}
void plane_apply_gradient(const float* x, const float* dy, float* dx, long pixels, float mean, float scale, float shift,
                          float factor, float offset, float slope, Activation activation) {
  with_activation(activation, [&](auto is) {
    plane_pieces(pixels, [&](auto w, long p) {
      constexpr int W = decltype(w)::value;
      const Vector<W> value = load<W>(x + p), d = through<decltype(is)::value, W>(load<W>(dy + p), value * scale + shift);
      store<W>(dx + p, factor * ((d - offset) - (value - mean) * slope));
    });
  });
}
void plane_through(const float* x, const float* dy, float* out, long pixels, float scale, float shift, Activation activation) {
  with_activation(activation, [&](auto is) {
    plane_pieces(pixels, [&](auto w, long p) {
      constexpr int W = decltype(w)::value;
      store<W>(out + p, through<decltype(is)::value, W>(load<W>(dy + p), load<W>(x + p) * scale + shift));
    });
  });
}

constexpr Kernels table{sum,       squares,       gradients,       apply,       apply_gradient,       through_all,
                        plane_sum, plane_squares, plane_gradients, plane_apply, plane_apply_gradient, plane_through};
