// What one block of the fixed-order GPU convolutions does, phase by phase, as a tile of a matrix product: a thread fetches
// its share of both operands into registers, stages it, all wait, a thread adds to the results it owns, all wait. Host and
// device compile the same functions, so a test can walk a whole grid on the CPU and hold its bits against the CPU's runner.
//
// A thread owns whole results and walks their chains alone, in the order of fixed_order.hpp: the tile's size, the vectors'
// width and the grid can change no bit. Products beyond the end of a chain are not computed at all: fma(0, 0, acc) would
// turn a -0, which an underflow can leave, into +0.
#pragma once

#include <cstdint>

#include "kernels/tensor/stored_types.hpp"

// A loop whose indices must be constants for its arrays to stay in registers; a C++ compiler is left alone.
#ifdef __CUDA_ARCH__
#define DETBENCH_UNROLL _Pragma("unroll")
#else
#define DETBENCH_UNROLL
#endif

namespace detbench::fixed_order {

inline constexpr int stage_depth = 16;  ///< links of the chains that are staged at a time

/// Rows x Columns results; a thread owns EachRow x EachColumn of them.
template <int Rows, int Columns, int EachRow, int EachColumn>
struct TileShape {
  static constexpr int rows = Rows, columns = Columns, each_row = EachRow, each_column = EachColumn;
  static constexpr int threads_x = Columns / EachColumn, threads = Rows / EachRow * threads_x;
  static_assert(Rows % EachRow == 0 && Columns % EachColumn == 0);
};

/// `Vector` neighbouring elements as they are stored.
template <class In, int Vector>
struct alignas(sizeof(typename In::Stored) * Vector) Group {
  typename In::Stored values[Vector];
};

/// One operand of a tile: `Width` rows (or columns) of stage_depth links. AlongChain: neighbouring links lie next to each
/// other in memory; else neighbouring rows do.
template <class In, int Width, bool AlongChain, int Vector, int Threads>
struct Operand {
  using Memory = float[stage_depth][Width + 4];  ///< four more than a row: quads stay aligned, transposed stores spread over banks
  static constexpr int groups = Width * stage_depth / Vector, each = (groups + Threads - 1) / Threads;
  Group<In, Vector> fetched[each];

  /// Row and link of the first element of a thread's i-th group.
  DETBENCH_HOST_DEVICE static int row_of(int group) { return AlongChain ? group / (stage_depth / Vector) : group % (Width / Vector) * Vector; }
  DETBENCH_HOST_DEVICE static int link_of(int group) { return AlongChain ? group % (stage_depth / Vector) * Vector : group / (Width / Vector); }

  /// `address(row, link)` gives where a group begins, or nullptr: zeros.
  template <class Address>
  DETBENCH_HOST_DEVICE void fetch(int thread, const Address& address) {
    DETBENCH_UNROLL
    for (int i = 0; i < each; ++i) {
      const int group = thread + i * Threads;
      if (groups % Threads != 0 && group >= groups) break;
      const auto* from = address(row_of(group), link_of(group));
      fetched[i] = from != nullptr ? *reinterpret_cast<const Group<In, Vector>*>(from) : Group<In, Vector>{};
    }
  }
  DETBENCH_HOST_DEVICE void stage(int thread, Memory& memory) const {
    DETBENCH_UNROLL
    for (int i = 0; i < each; ++i) {
      const int group = thread + i * Threads;
      if (groups % Threads != 0 && group >= groups) break;
      const int row = row_of(group), link = link_of(group);
      DETBENCH_UNROLL
      for (int v = 0; v < Vector; ++v) memory[link + (AlongChain ? v : 0)][row + (AlongChain ? 0 : v)] = In::widen(fetched[i].values[v]);
    }
  }
};

/// A thread's `Each` values of one link: in groups of up to four neighbours, the groups of all threads of a tile side by side.
template <int Each, int Threads>
DETBENCH_HOST_DEVICE constexpr int owned(int thread, int i) {
  constexpr int group = Each % 4 == 0 ? 4 : Each % 2 == 0 ? 2 : 1;
  return i / group * (Threads * group) + thread * group + i % group;
}
template <int Each, int Threads>
DETBENCH_HOST_DEVICE inline void read_owned(const float* line, int thread, float (&values)[Each]) {
  constexpr int group = Each % 4 == 0 ? 4 : Each % 2 == 0 ? 2 : 1;
  struct alignas(sizeof(float) * group) Quad {
    float values[group];
  };
  DETBENCH_UNROLL
  for (int i = 0; i < Each; i += group) {
    const Quad quad = *reinterpret_cast<const Quad*>(line + owned<Each, Threads>(thread, i));
    DETBENCH_UNROLL
    for (int v = 0; v < group; ++v) values[i + v] = quad.values[v];
  }
}

/// A thread of a tile's block. `Work` (fixed_order_work.hpp) says where operands lie and results go:
///   Stored type In, bool rows_along_chain, columns_along_chain; Place place(block): what the block works on, with `links`,
///   the chains' length; RowPlace row_place(place, row): what is kept per row while the block runs;
///   row_address(place, row_place, row, link), column_address(place, column, link): where a group begins, nullptr: zeros;
///   put(place, row, column, value): takes a result, or leaves it when the place has no such row or column.
template <class Work, class Shape, int Vector>
class TileThread {
 public:
  using In = typename Work::In;
  using RowOperand = Operand<In, Shape::rows, Work::rows_along_chain, Vector, Shape::threads>;
  using ColumnOperand = Operand<In, Shape::columns, Work::columns_along_chain, Vector, Shape::threads>;
  /// Of the whole block. Aligned for the widest read.
  struct alignas(16) Shared {
    typename RowOperand::Memory rows[2];
    typename ColumnOperand::Memory columns[2];
    typename Work::RowPlace places[Shape::rows];
  };

  DETBENCH_HOST_DEVICE static void find_rows(int thread, const Work& work, const typename Work::Place& place, Shared& shared) {
    for (int row = thread; row < Shape::rows; row += Shape::threads) shared.places[row] = work.row_place(place, row);
  }
  /// Links [first, first + stage_depth), as far as there are.
  DETBENCH_HOST_DEVICE void fetch(int thread, const Work& work, const typename Work::Place& place, const Shared& shared, std::int32_t first) {
    rows_.fetch(thread, [&](int row, int link) { return work.row_address(place, shared.places[row], row, first + link); });
    columns_.fetch(thread, [&](int column, int link) { return work.column_address(place, column, first + link); });
  }
  DETBENCH_HOST_DEVICE void stage(int thread, Shared& shared, int half) const {
    rows_.stage(thread, shared.rows[half]);
    columns_.stage(thread, shared.columns[half]);
  }
  /// `links` staged links in ascending order.
  DETBENCH_HOST_DEVICE void multiply(int thread, const Shared& shared, int half, std::int32_t links) {
    if (links >= stage_depth) {
      DETBENCH_UNROLL
      for (int link = 0; link < stage_depth; ++link) multiply_link(thread, shared, half, link);
    } else {
      for (int link = 0; link < links; ++link) multiply_link(thread, shared, half, link);
    }
  }
  DETBENCH_HOST_DEVICE void finish(int thread, const Work& work, const typename Work::Place& place, const Shared& shared) const {
    const int x = thread % Shape::threads_x, y = thread / Shape::threads_x;
    DETBENCH_UNROLL
    for (int r = 0; r < Shape::each_row; ++r) {
      const int row = owned<Shape::each_row, Shape::threads / Shape::threads_x>(y, r);
      DETBENCH_UNROLL
      for (int c = 0; c < Shape::each_column; ++c)
        work.put(place, shared.places[row], row, owned<Shape::each_column, Shape::threads_x>(x, c), results_[r][c]);
    }
  }

 private:
  DETBENCH_HOST_DEVICE void multiply_link(int thread, const Shared& shared, int half, int link) {
    const int x = thread % Shape::threads_x, y = thread / Shape::threads_x;
    float a[Shape::each_row], b[Shape::each_column];
    read_owned<Shape::each_row, Shape::threads / Shape::threads_x>(shared.rows[half][link], y, a);
    read_owned<Shape::each_column, Shape::threads_x>(shared.columns[half][link], x, b);
    DETBENCH_UNROLL
    for (int r = 0; r < Shape::each_row; ++r)
      DETBENCH_UNROLL
      for (int c = 0; c < Shape::each_column; ++c) results_[r][c] = fused_multiply_add(a[r], b[c], results_[r][c]);
  }

  RowOperand rows_;
  ColumnOperand columns_;
  float results_[Shape::each_row][Shape::each_column] = {};
};

}  // namespace detbench::fixed_order
