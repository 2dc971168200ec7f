// Included by kernels_baseline.cpp, kernels_avx2.cpp and kernels_avx512.cpp inside their own anonymous namespace, with
// `native` floats per vector register. No standard header may be included here: an inline function compiled for AVX-512
// could otherwise be the copy that the linker keeps for the whole program.

template <int W>
struct VectorOf {
  typedef float Float __attribute__((vector_size(W * 4)));
};
template <int W>
using Vector = typename VectorOf<W>::Float;

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

// y < 0 first: a NaN fails both comparisons and stays a NaN.
template <int W>
inline Vector<W> clip(Vector<W> y) {
  const Vector<W> zero = {}, six = zero + 6.0f;
  y = y < zero ? zero : y;
  return y > six ? six : y;
}
template <int W>
inline Vector<W> masked(Vector<W> dy, Vector<W> y) {
  const Vector<W> zero = {}, six = zero + 6.0f;
  const Vector<W> below = y < six ? dy : zero;
  return y > zero ? below : zero;
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

template <bool relu6>
void gradients_of(const float* x, const float* dy, long stride, long pixels, int lane, int width,
                  const GradientConstants& k, float* sum_dy, float* sum_dyx) {
  pieces(width, [&](auto w, long c) {
    constexpr int W = decltype(w)::value;
    const Vector<W> mean = load<W>(k.mean + c);
    const Vector<W> scale = relu6 ? load<W>(k.scale + c) : Vector<W>{}, shift = relu6 ? load<W>(k.shift + c) : Vector<W>{};
    const auto gradient = [&](Vector<W> value, long p) {
      const Vector<W> d = load<W>(dy + p * stride + c);
      if constexpr (relu6) return masked<W>(d, value * scale + shift);
      else return d;
    };
    // Two walks over a run that the first one brought into the first-level cache: sixteen accumulators at once would
    // not fit the registers of AVX2.
    accumulate<W>(pixels, lane, sum_dy + c, [&](Vector<W> a, long p) { return a + gradient(load<W>(x + p * stride + c), p); });
    accumulate<W>(pixels, lane, sum_dyx + c, [&](Vector<W> a, long p) {
      const Vector<W> value = load<W>(x + p * stride + c);
      return a + gradient(value, p) * (value - mean);
    });
  });
}
void gradients(const float* x, const float* dy, long stride, long pixels, int lane, int width, const GradientConstants& k,
               bool relu6, float* sum_dy, float* sum_dyx) {
  (relu6 ? gradients_of<true> : gradients_of<false>)(x, dy, stride, pixels, lane, width, k, sum_dy, sum_dyx);
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

template <bool relu6>
void apply_of(const float* x, float* y, long stride, long pixels, long width, const float* scale, const float* shift) {
  for_elements(pixels, width, [&](auto w, long p, long c) {
    constexpr int W = decltype(w)::value;
    const Vector<W> value = load<W>(x + p * stride + c) * load<W>(scale + c) + load<W>(shift + c);
    store<W>(y + p * stride + c, relu6 ? clip<W>(value) : value);
  });
}
void apply(const float* x, float* y, long stride, long pixels, long width, const float* scale, const float* shift, bool relu6) {
  (relu6 ? apply_of<true> : apply_of<false>)(x, y, stride, pixels, width, scale, shift);
}

template <bool relu6>
void apply_gradient_of(const float* x, const float* dy, float* dx, long stride, long pixels, long width, const GradientConstants& k) {
  for_elements(pixels, width, [&](auto w, long p, long c) {
    constexpr int W = decltype(w)::value;
    const Vector<W> value = load<W>(x + p * stride + c);
    Vector<W> d = load<W>(dy + p * stride + c);
    if constexpr (relu6) d = masked<W>(d, value * load<W>(k.scale + c) + load<W>(k.shift + c));
    store<W>(dx + p * stride + c,
             load<W>(k.factor + c) * ((d - load<W>(k.offset + c)) - (value - load<W>(k.mean + c)) * load<W>(k.slope + c)));
  });
}
void apply_gradient(const float* x, const float* dy, float* dx, long stride, long pixels, long width, const GradientConstants& k, bool relu6) {
  (relu6 ? apply_gradient_of<true> : apply_gradient_of<false>)(x, dy, dx, stride, pixels, width, k);
}

void mask(const float* x, const float* dy, float* out, long stride, long pixels, long width, const float* scale, const float* shift) {
  for_elements(pixels, width, [&](auto w, long p, long c) {
    constexpr int W = decltype(w)::value;
    const Vector<W> y = load<W>(x + p * stride + c) * load<W>(scale + c) + load<W>(shift + c);
    store<W>(out + p * stride + c, masked<W>(load<W>(dy + p * stride + c), y));
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

inline float masked_one(float dy, float y) { return y > 0.0f && y < 6.0f ? dy : 0.0f; }

void plane_sum(const float* x, long pixels, int lane, float* accumulator) {
  plane_accumulate(pixels, lane, accumulator, [&](long p) { return load<lanes>(x + p); }, [&](long p) { return x[p]; });
}
void plane_squares(const float* x, long pixels, int lane, float center, float* accumulator) {
  plane_accumulate(pixels, lane, accumulator,
                   [&](long p) { const Vector<lanes> d = load<lanes>(x + p) - center; return d * d; },
                   [&](long p) { const float d = x[p] - center; return d * d; });
}
void plane_gradients(const float* x, const float* dy, long pixels, int lane, float mean, float scale, float shift, bool relu6,
                     float* sum_dy, float* sum_dyx) {
  const auto vectors = [&](long p) {
    const Vector<lanes> d = load<lanes>(dy + p);
    return relu6 ? masked<lanes>(d, load<lanes>(x + p) * scale + shift) : d;
  };
  const auto single = [&](long p) { return relu6 ? masked_one(dy[p], x[p] * scale + shift) : dy[p]; };
  plane_accumulate(pixels, lane, sum_dy, vectors, single);
  plane_accumulate(pixels, lane, sum_dyx, [&](long p) { return vectors(p) * (load<lanes>(x + p) - mean); },
                   [&](long p) { return single(p) * (x[p] - mean); });
}
void plane_apply(const float* x, float* y, long pixels, float scale, float shift, bool relu6) {
  long p = 0;
  for (; p + lanes <= pixels; p += lanes) {
    const Vector<lanes> value = load<lanes>(x + p) * scale + shift;
    store<lanes>(y + p, relu6 ? clip<lanes>(value) : value);
  }
  for (; p < pixels; ++p) {
    const float value = x[p] * scale + shift;
    y[p] = relu6 ? (value < 0.0f ? 0.0f : value > 6.0f ? 6.0f : value) : value;
  }
}
void plane_apply_gradient(const float* x, const float* dy, float* dx, long pixels, float mean, float scale, float shift,
                          float factor, float offset, float slope, bool relu6) {
  long p = 0;
  for (; p + lanes <= pixels; p += lanes) {
    const Vector<lanes> value = load<lanes>(x + p);
    Vector<lanes> d = load<lanes>(dy + p);
    if (relu6) d = masked<lanes>(d, value * scale + shift);
    store<lanes>(dx + p, factor * ((d - offset) - (value - mean) * slope));
  }
  for (; p < pixels; ++p) {
    const float d = relu6 ? masked_one(dy[p], x[p] * scale + shift) : dy[p];
    dx[p] = factor * ((d - offset) - (x[p] - mean) * slope);
  }
}
void plane_mask(const float* x, const float* dy, float* out, long pixels, float scale, float shift) {
  for (long p = 0; p < pixels; ++p) out[p] = masked_one(dy[p], x[p] * scale + shift);
}

constexpr Kernels table{sum,       squares,       gradients,       apply,       apply_gradient,       mask,
                        plane_sum, plane_squares, plane_gradients, plane_apply, plane_apply_gradient, plane_mask};
