// The reorders that move one group of dimensions past the other, like nhwc to nchw: for each of `batches` a matrix of `rows`
// by `columns` is transposed. A GPU's block takes a tile of it at a time; compiled for the host too, where a test counts
// the visits.
#pragma once

#include <optional>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench::reorder {

inline constexpr int tile_size = 32;

struct Transpose {
  std::int64_t batches = 1, rows = 1, columns = 1;  ///< of the source, columns fastest

  struct Tile {
    std::int64_t batch, row, column;
  };
  DETBENCH_HOST_DEVICE std::int64_t row_tiles() const { return (rows + tile_size - 1) / tile_size; }
  DETBENCH_HOST_DEVICE std::int64_t column_tiles() const { return (columns + tile_size - 1) / tile_size; }
  DETBENCH_HOST_DEVICE std::int64_t tiles() const { return batches * row_tiles() * column_tiles(); }
  /// Its first row and column. Neighbouring tiles read neighbouring columns.
  DETBENCH_HOST_DEVICE Tile tile(std::int64_t k) const {
    const std::int64_t across = column_tiles(), matrix = row_tiles() * across;
    return {k / matrix, k % matrix / across * tile_size, k % across * tile_size};
  }
  DETBENCH_HOST_DEVICE std::int64_t source(const Tile& t, int row, int column) const { return (t.batch * rows + t.row + row) * columns + t.column + column; }
  DETBENCH_HOST_DEVICE std::int64_t target(const Tile& t, int row, int column) const { return (t.batch * columns + t.column + column) * rows + t.row + row; }
  DETBENCH_HOST_DEVICE bool holds(const Tile& t, int row, int column) const { return t.row + row < rows && t.column + column < columns; }
};

/// nhwc to nchw or back, and gkrsc to gkcrs or back; nullopt: another pair.
std::optional<Transpose> transpose_of(const TensorSpec& from, const TensorSpec& to);

}  // namespace detbench::reorder
