// Vectors changed element by element on their way from one op to the next. In f32, rounded once at the end (f64 sources
// are rounded to f32 first).
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// dst = src * scale in type `to`, nearest even. Inputs: src and, if `scaled`, scale f32 [1]; output: dst. Types f32, f16
/// and bf16. May be run in place where both types are of one size. `elements` counts padding, which stays zero.
Result<std::unique_ptr<Plan>> plan_cast_scale(std::int64_t elements, DataType from, DataType to, bool scaled, Device& device);

/// Keras's Rescaling: dst = src * scale + offset, the product rounded to f32 first, as in Keras with f32; src and dst of
/// one type. `scale` and `offset` are Python floats in Keras, rounded to f32 when they meet the images.
Result<std::unique_ptr<Plan>> plan_rescale(std::int64_t elements, double scale, double offset, DataType type, Device& device);

}  // namespace detbench
