#include "kernels/tensor/compare.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "kernels/tensor/float_formats.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

TEST(UlpDistance, CountsValuesBetween) {
  const auto f32 = [](float a, float b) { return ulp_distance(DataType::f32, float_bits(a), float_bits(b)); };
  EXPECT_EQ(f32(1.0f, 1.0f), 0u);
  EXPECT_EQ(f32(0.0f, -0.0f), 0u);
  EXPECT_EQ(f32(1.0f, std::nextafter(1.0f, 2.0f)), 1u);
  EXPECT_EQ(f32(1.0f, 2.0f), 1u << 23);
  EXPECT_EQ(f32(-0x1p-149f, 0x1p-149f), 2u);
  EXPECT_EQ(f32(-1.0f, 1.0f), 2u * 0x3F800000u);
  EXPECT_EQ(f32(std::numeric_limits<float>::max(), inf), 1u);
  EXPECT_EQ(f32(NAN, 1.0f), std::uint64_t{1} << 63);
  EXPECT_EQ(f32(1.0f, NAN), std::uint64_t{1} << 63);
  EXPECT_EQ(ulp_distance(DataType::f32, 0x7FC00000u, 0xFFC00001u), 0u);  // both NaN
  EXPECT_EQ(ulp_distance(DataType::f64, double_bits(1.0), double_bits(std::nextafter(1.0, 0.0))), 1u);
  EXPECT_EQ(ulp_distance(DataType::f64, double_bits(-1.0), double_bits(1.0)), 2 * double_bits(1.0));
  EXPECT_EQ(ulp_distance(DataType::f16, 0x3C00, 0xBC00), 2u * 0x3C00);
  EXPECT_EQ(ulp_distance(DataType::f16, 0x7C01, 0), std::uint64_t{1} << 63);
  EXPECT_EQ(ulp_distance(DataType::bf16, 0x3F80, 0x3F83), 3u);
  EXPECT_EQ(ulp_distance(DataType::u8, 3, 250), 247u);
  EXPECT_EQ(ulp_distance(DataType::i32, 0xFFFFFFFFu, 1), 2u);
  EXPECT_EQ(ulp_distance(DataType::i64, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1), ~std::uint64_t{0});
}

TEST(UlpDistance, StepsOfNextafterAddUp) {
  for (const float start : {0.0f, 1.0f, -1.0f, 0x1p-126f, -0x1p-126f, 1e30f}) {
    float x = start;
    for (std::uint64_t step = 1; step < 300; ++step) {
      x = std::nextafter(x, inf);
      ASSERT_EQ(ulp_distance(DataType::f32, float_bits(start), float_bits(x)), step) << start;
    }
  }
}

TEST(Compare, FindsWhatDiffersWhereAndByHowMuch) {
  HostTensor a(DataType::f32, {20000}), b(DataType::f32, {20000});
  for (int i = 0; i < 20000; ++i) a.as<float>()[i] = b.as<float>()[i] = static_cast<float>(i % 100);  // 200 zeros
  EXPECT_EQ(compare_on_host(a.tensor, b.tensor)->differing, 0u);
  EXPECT_EQ(compare_on_host(a.tensor, b.tensor)->v_ermv, 0);
  b.as<float>()[9100] = -0.0f;  // value-equal
  b.as<float>()[9102] = 3.0f;   // was 2: relative 1/2
  b.as<float>()[15050] = std::nextafter(50.0f, 51.0f);
  b.as<float>()[19900] = 1e-3f;  // was 0: no relative difference
  Comparison c = *compare_on_host(a.tensor, b.tensor);
  EXPECT_EQ(c.elements, 20000u);
  EXPECT_EQ(c.differing, 4u);
  EXPECT_EQ(c.value_equal, 1u);
  EXPECT_EQ(c.first_element, 9100u);
  EXPECT_EQ(c.first_bits, 0u);
  EXPECT_EQ(c.second_bits, 0x80000000u);
  EXPECT_EQ(c.max_abs, 1.0);
  EXPECT_EQ(c.max_ulp, float_bits(1e-3f));
  const double step = static_cast<double>(std::nextafter(50.0f, 51.0f)) - 50.0;
  EXPECT_NEAR(c.v_ermv, (0.5 + step / 50) / 19800, 1e-18);
  // A NaN on one side counts as the largest distance and not in the means; on both sides as equal values.
  b.as<float>()[0] = NAN;
  a.as<std::uint32_t>()[1] = 0x7FC00000u;
  b.as<std::uint32_t>()[1] = 0x7FC00001u;
  c = *compare_on_host(a.tensor, b.tensor);
  EXPECT_EQ(c.differing, 6u);
  EXPECT_EQ(c.value_equal, 2u);
  EXPECT_EQ(c.first_element, 0u);
  EXPECT_EQ(c.max_ulp, std::uint64_t{1} << 63);
  EXPECT_EQ(c.max_abs, 1.0);
}

TEST(Compare, LayoutsMayDifferAndThreadsDoNotMatter) {
  const Shape shape{3, 17, 19, 37};
  for (const DataType type : {DataType::bf16, DataType::f32, DataType::f64, DataType::i32}) {
    HostTensor plain(type, shape), changed(type, shape);
    for (std::size_t i = 0; i < plain.memory.size(); ++i)
      plain.memory[i] = static_cast<std::byte>(0x30 + i % 11);  // no NaN
    changed.memory = plain.memory;
    changed.tensor.region.data = changed.memory.data();
    for (std::size_t at = size_of(type) * 1234; at < changed.memory.size(); at += size_of(type) * 1000)
      changed.memory[at] ^= std::byte{1};
    const Comparison expected = *compare_on_host(plain.tensor, changed.tensor);
    EXPECT_EQ(expected.first_element, 1234u);
    EXPECT_GT(expected.differing, 30u);
    for (const MemoryLayout& layout : sample_layouts(shape)) {
      HostTensor view(type, shape, layout);
      copy_elements(changed, view);
      const int before = omp_get_max_threads();
      for (const int threads : {1, 2, 5}) {
        omp_set_num_threads(threads);
        const Comparison c = *compare_on_host(plain.tensor, view.tensor);
        EXPECT_EQ(c.differing, expected.differing);
        EXPECT_EQ(c.first_element, 1234u);
        EXPECT_EQ(double_bits(c.v_ermv), double_bits(expected.v_ermv));
        EXPECT_EQ(c.max_ulp, expected.max_ulp);
      }
      omp_set_num_threads(before);
      std::vector<std::byte> canonical;
      gather_canonical(view.tensor, canonical);
      EXPECT_EQ(canonical, changed.memory);
    }
  }
}

TEST(Compare, RefusesTensorsOfOtherTypeOrShape) {
  HostTensor a(DataType::f32, {4, 2}), b(DataType::f32, {2, 4}), c(DataType::i32, {4, 2});
  EXPECT_EQ(compare_on_host(a.tensor, b.tensor).error().text,
            "cannot compare f32x4x2 with f32x2x4: type and shape must agree");
  EXPECT_FALSE(compare_on_host(a.tensor, c.tensor));
}

TEST(Compare, ElementsAsDouble) {
  const Shape shape{2, 3, 4, 20};
  HostTensor t(DataType::f32, shape, *activation_layout(shape, "nchw16c"));
  for_each_index(shape, [&](std::int64_t i, const std::int64_t* index) {
    t.as<float>()[t.tensor.spec.layout.offset(index)] = static_cast<float>(i);
  });
  for (std::int64_t i = 0; i < 480; ++i) ASSERT_EQ(element_as_double(t.tensor, i), static_cast<double>(i));
  HostTensor h(DataType::f16, {2}), b(DataType::bf16, {1}), n(DataType::i32, {1}), l(DataType::i64, {1}),
      u(DataType::u8, {1});
  h.as<std::uint16_t>()[1] = 0x3E00;
  b.as<std::uint16_t>()[0] = 0xBFC0;
  n.as<std::int32_t>()[0] = -7;
  l.as<std::int64_t>()[0] = -(std::int64_t{1} << 40);
  u.as<std::uint8_t>()[0] = 200;
  EXPECT_EQ(element_as_double(h.tensor, 1), 1.5);
  EXPECT_EQ(element_as_double(b.tensor, 0), -1.5);
  EXPECT_EQ(element_as_double(n.tensor, 0), -7);
  EXPECT_EQ(element_as_double(l.tensor, 0), -0x1p40);
  EXPECT_EQ(element_as_double(u.tensor, 0), 200);
}

}  // namespace
}  // namespace detbench
