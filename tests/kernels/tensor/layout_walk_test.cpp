#include "kernels/tensor/layout_walk.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

TEST(LayoutWalk, VisitsEveryElementWhereTheLayoutSaysItLies) {
  for (const Shape& shape : std::vector<Shape>{{},
                                               {1},
                                               {37},
                                               {5, 9},
                                               {2, 3, 4},
                                               {2, 5, 7, 37},
                                               {3, 1, 6, 16},
                                               {1, 4, 4, 1},
                                               {2, 1, 1, 33},
                                               {2, 19, 3, 3, 21},
                                               {32, 1, 3, 3, 1},
                                               {1, 16, 1, 1, 32}}) {
    for (const MemoryLayout& layout : sample_layouts(shape)) {
      const TensorSpec spec{"t", DataType::f32, shape, layout};
      const LayoutWalk walk(spec);
      std::vector<std::int64_t> expected(static_cast<std::size_t>(element_count(shape)));
      for_each_index(shape, [&](std::int64_t i, const std::int64_t* index) { expected[i] = layout.offset(index); });
      const auto n = static_cast<std::int64_t>(expected.size());
      ASSERT_EQ(walk.elements(), n);
      EXPECT_TRUE(!spec.is_canonical() || walk.is_contiguous()) << describe_layout(spec);
      for (const std::int64_t count : {n, std::int64_t{1}, std::int64_t{7}, std::int64_t{100}}) {
        for (std::int64_t first = 0; first < n; first += count) {
          std::int64_t next = first;
          walk.runs(first, std::min(count, n - first),
                    [&](std::int64_t position, std::int64_t offset, std::int64_t length, std::int64_t stride) {
                      ASSERT_EQ(position, next);
                      ASSERT_GT(length, 0);
                      for (std::int64_t j = 0; j < length; ++j)
                        ASSERT_EQ(offset + j * stride, expected[position + j]) << describe_layout(spec);
                      next += length;
                    });
          ASSERT_EQ(next, std::min(first + count, n));
        }
      }
    }
  }
}

TEST(LayoutWalk, GatherAndScatterAreInverse) {
  for (const DataType type : {DataType::u8, DataType::bf16, DataType::f32, DataType::f64}) {
    const Shape shape{2, 5, 6, 37};
    for (const MemoryLayout& layout : sample_layouts(shape)) {
      HostTensor plain(type, shape), other(type, shape, layout);
      randomize(plain.memory, 1);
      const LayoutWalk walk(other.tensor.spec);
      scatter(walk, size_of(type), other.memory.data(), 0, walk.elements(), plain.memory.data());
      HostTensor expected(type, shape, layout);
      copy_elements(plain, expected);
      EXPECT_EQ(other.memory, expected.memory);
      std::vector<std::byte> back(plain.memory.size());
      gather(walk, size_of(type), other.memory.data(), 0, walk.elements(), back.data());
      EXPECT_EQ(back, plain.memory);
    }
  }
}

TEST(LayoutWalk, IndexArithmeticBeyondTwoToThe32Elements) {
  // 2^36 elements without their memory: positions and offsets alone.
  const Shape shape{1 << 8, 1 << 10, 1 << 10, 1 << 8};
  for (const char* name : {"nhwc", "nchw", "nchw16c"}) {
    const TensorSpec spec{"t", DataType::f32, shape, *activation_layout(shape, name)};
    const LayoutWalk walk(spec);
    EXPECT_EQ(walk.elements(), std::int64_t{1} << 36);
    for (const std::int64_t first :
         {(std::int64_t{1} << 32) - 100, (std::int64_t{1} << 33) + 12345, (std::int64_t{1} << 36) - 500}) {
      walk.runs(first, 500, [&](std::int64_t position, std::int64_t offset, std::int64_t length, std::int64_t stride) {
        for (std::int64_t j = 0; j < length; ++j) {
          std::int64_t index[max_rank]{}, rest = position + j;
          for (int d = 3; d >= 0; --d) {
            index[d] = rest % shape[d];
            rest /= shape[d];
          }
          ASSERT_EQ(offset + j * stride, spec.layout.offset(index)) << name << " " << position + j;
        }
      });
    }
  }
}

}  // namespace
}  // namespace detbench
