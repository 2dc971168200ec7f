// Casting and scaling per element, on the host and on a GPU.
#pragma once

#include "kernels/tensor/stored_types.hpp"

namespace detbench::training {

template <class From, class To>
struct CastScale {
  const typename From::Stored* source;
  typename To::Stored* target;
  float scale;
  /// Where it is read from when the kernel runs (a GPU's memory); nullptr: `scale` is it.
  const float* scale_at = nullptr;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    target[i] = To::narrow(From::widen(source[i]) * (scale_at ? *scale_at : scale));
  }
};

template <class Type>
struct Rescale {
  const typename Type::Stored* source;
  typename Type::Stored* target;
  float scale, offset;
  template <class Index>
  DETBENCH_HOST_DEVICE void operator()(Index i) const {
    const float product = Type::widen(source[i]) * scale;
    target[i] = Type::narrow(product + offset);
  }
};

/// Calls f with the functor of a pair of types. Types other than f32, f16 and bf16 have to be refused before.
template <class F>
auto with_cast_scale(DataType from, DataType to, const void* source, void* target, float scale, F&& f, const float* scale_at = nullptr) {
  return with_stored_type(from, [&](auto a) {
    return with_stored_type(to, [&](auto b) {
      using From = decltype(a);
      using To = decltype(b);
      return f(CastScale<From, To>{static_cast<const typename From::Stored*>(source), static_cast<typename To::Stored*>(target), scale, scale_at});
    });
  });
}
template <class F>
auto with_rescale(DataType type, const void* source, void* target, float scale, float offset, F&& f) {
  return with_stored_type(type, [&](auto t) {
    using Type = decltype(t);
    return f(Rescale<Type>{static_cast<const typename Type::Stored*>(source), static_cast<typename Type::Stored*>(target), scale, offset});
  });
}

}  // namespace detbench::training
