// Resampling of an image under an affine map, as scipy.ndimage.affine_transform does it with order = 1: in f64, each
// coordinate mapped into the image by its axis's rule, then the two neighbours along each axis.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/result.hpp"
#include "models/network.hpp"

namespace detbench {

/// What lies outside an image; SciPy's names.
enum class FillMode {
  nearest,   ///< aaaa|abcd|dddd
  constant,  ///< kkkk|abcd|kkkk; anything outside [0, n - 1], so the border is not blended with k
  reflect,   ///< dcba|abcd|dcba
  wrap       ///< repeats with the period n - 1, first and last pixel on the same place (SciPy's `wrap`, not its `grid-wrap`)
};
std::string_view to_text(FillMode mode);
std::optional<FillMode> parse_fill_mode(std::string_view text);

/// Rows of a 2 x 3 matrix: source (row, column) = m * (row, column, 1) of the target pixel.
struct AffineMap {
  std::array<std::array<double, 3>, 2> m = {{{1, 0, 0}, {0, 1, 0}}};
};

/// target(row, column) = source(map(row, column)), every channel alike; H,W,C, no overlap. A value is the sum over the four
/// neighbours, upper row first, in f64, rounded once.
void resample_affine(std::span<const float> source, std::span<float> target, const ImageSize& image, const AffineMap& map, FillMode mode,
                     double constant);

}  // namespace detbench
