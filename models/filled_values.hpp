// What a network's inputs hold, in canonical order and fp64: for references.
#pragma once

#include <vector>

#include "kernels/tensor/fill.hpp"

namespace detbench {

/// The numbers of an f32 tensor under a fill; the fill's own reason where there is none.
Result<std::vector<double>> filled_values(const Shape& shape, const Result<FillSpec>& fill);
/// The same of i32: labels.
Result<std::vector<std::int32_t>> filled_labels(std::int64_t count, const Result<FillSpec>& fill);

}  // namespace detbench
