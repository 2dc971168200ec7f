// Where the elements of an image lie in the image with zeros around it: the index arithmetic of the padding kernels, the
// same on the host (where it is tested) and on a GPU.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/layout_index.hpp"

namespace detbench {

/// An activation tensor as planes of rows of units. In nhwc a plane is an image and a row W*C units long; in nchw a plane
/// is one channel of an image and a row W units long. `left` and `right` count units too.
struct PaddedRows {
  std::int64_t planes = 0, rows = 0, length = 0;
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  Divisor padded_length_divisor, padded_rows_divisor, length_divisor, rows_divisor;
  bool narrow = false;  ///< the padded image has fewer than 2^31 units: indices fit the fast division

  static PaddedRows of(std::int64_t planes, std::int64_t rows, std::int64_t length, std::int64_t top, std::int64_t bottom,
                       std::int64_t left, std::int64_t right) {
    PaddedRows p{planes, rows, length, top, bottom, left, right, {}, {}, {}, {}, false};
    p.narrow = p.padded_units() < std::int64_t{1} << 31;
    if (!p.narrow) return p;
    p.padded_length_divisor = Divisor::of(static_cast<std::uint32_t>(p.padded_length()));
    p.padded_rows_divisor = Divisor::of(static_cast<std::uint32_t>(p.padded_rows()));
    p.length_divisor = Divisor::of(static_cast<std::uint32_t>(length));
    p.rows_divisor = Divisor::of(static_cast<std::uint32_t>(rows));
    return p;
  }

  DETBENCH_HOST_DEVICE std::int64_t padded_length() const { return left + length + right; }
  DETBENCH_HOST_DEVICE std::int64_t padded_rows() const { return top + rows + bottom; }
  DETBENCH_HOST_DEVICE std::int64_t image_units() const { return planes * rows * length; }
  DETBENCH_HOST_DEVICE std::int64_t padded_units() const { return planes * padded_rows() * padded_length(); }

  /// The image's unit that lies at an index of the padded image, or -1 in the padding.
  DETBENCH_HOST_DEVICE std::int64_t source(std::int64_t padded_index) const {
    const Place at = split(padded_index, padded_length(), padded_rows(), padded_length_divisor, padded_rows_divisor);
    const std::int64_t row = at.row - top, column = at.column - left;
    if (row < 0 || row >= rows || column < 0 || column >= length) return -1;
    return (at.plane * rows + row) * length + column;
  }

  /// Where a unit of the image lies in the padded image.
  DETBENCH_HOST_DEVICE std::int64_t target(std::int64_t image_index) const {
    const Place at = split(image_index, length, rows, length_divisor, rows_divisor);
    return (at.plane * padded_rows() + at.row + top) * padded_length() + at.column + left;
  }

 private:
  struct Place {
    std::int64_t plane, row, column;
  };
  DETBENCH_HOST_DEVICE Place split(std::int64_t index, std::int64_t row_length, std::int64_t plane_rows,
                                   const Divisor& by_length, const Divisor& by_rows) const {
    if (narrow) {
      const auto i = static_cast<std::uint32_t>(index);
      const std::uint32_t row = by_length.quotient(i), plane = by_rows.quotient(row);
      return {plane, row - plane * by_rows.divisor, i - row * by_length.divisor};
    }
    const std::int64_t row = index / row_length, plane = row / plane_rows;
    return {plane, row - plane * plane_rows, index - row * row_length};
  }
};

}  // namespace detbench
