// Reorders from type to type, the tiles of a GPU's transposition, and the GPU's bits where there is one.
#include <cmath>
#include <limits>
#include <set>

#include "kernels/device/reorder.hpp"
#include "kernels/device/reorder_transpose.hpp"
#include "kernels/device/reorder_types.hpp"
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/plan_bits.hpp"

namespace detbench {
namespace {

using testing::bytes_of;
using testing::values_of;
constexpr DataType types[] = {DataType::f32, DataType::f64, DataType::f16, DataType::bf16};

TensorSpec activation(DataType type, const Shape& shape, const char* layout) { return {"x", type, shape, *activation_layout(shape, layout)}; }

testing::PlanRun reorder_run(const TensorSpec& from, const TensorSpec& to) {
  testing::PlanRun run{[=](Device& device) { return plan_own_reorder(from, to, device); }, {}};
  const bool bytes = from.type == DataType::u8;
  run.inputs = {testing::filled_bytes(from, {bytes ? FillSpec::Kind::index : FillSpec::Kind::wide, 1, "x", 1.0, bytes ? 256 : 8, 1.0})};
  return run;
}

// Nearest even by search: of the two neighbours of the f64 in the narrow type the nearer one, on a tie the even one.
std::uint16_t nearest(double value, float (*widen)(std::uint16_t), std::uint16_t infinity) {
  const double size = std::abs(value);
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  std::uint16_t low = 0;
  for (std::uint16_t bit = 0x4000; bit; bit = static_cast<std::uint16_t>(bit >> 1))
    if (static_cast<std::uint16_t>(low + bit) < infinity && widen(static_cast<std::uint16_t>(low + bit)) <= size) low = static_cast<std::uint16_t>(low + bit);
  const auto high = static_cast<std::uint16_t>(low + 1);
  const double below = widen(low);
  // Infinity stands where the next number would: the last step goes on.
  const double above = high == infinity ? below + (below - widen(static_cast<std::uint16_t>(low - 1))) : widen(high);
  const bool up = size - below > above - size || (size - below == above - size && (low & 1));
  return static_cast<std::uint16_t>(sign | (up ? high : low));
}

TEST(ReorderTypes, AnF64IsRoundedOnceToSixteenBits) {
  // On both sides of ties of either type, where rounding by way of f32 goes wrong, and at the ends of the ranges.
  std::vector<double> values{0.0, 1e-300, 5e-324, 65519.999999999, 65520.0, 65504.0, 3.3961775292304e38, 3.39e38, 1e300, 0x1p-24, 0x1p-25, 0x1.0000000001p-25};
  for (std::uint16_t bits : {0x3C00, 0x3C01, 0x0001, 0x0400, 0x7BFE, 0x1234})
    for (const double offset : {0.0, 0x1p-40, -0x1p-40, 0x1p-60}) {
      values.push_back((double{float_from_f16(bits)} + float_from_f16(static_cast<std::uint16_t>(bits + 1))) / 2 * (1 + offset));
      values.push_back((double{float_from_bf16(bits)} + float_from_bf16(static_cast<std::uint16_t>(bits + 1))) / 2 * (1 + offset));
    }
  for (const double value : values)
    for (const double sign : {1.0, -1.0}) {
      EXPECT_EQ((reorder::Convert<reorder::F64, F16>{}(sign * value)), nearest(sign * value, float_from_f16, 0x7C00)) << value;
      EXPECT_EQ((reorder::Convert<reorder::F64, Bf16>{}(sign * value)), nearest(sign * value, float_from_bf16, 0x7F80)) << value;
    }
  EXPECT_EQ((reorder::Convert<reorder::F64, F16>{}(std::numeric_limits<double>::infinity())), 0x7C00);
  EXPECT_TRUE(std::isnan(float_from_bf16(reorder::Convert<reorder::F64, Bf16>{}(std::numeric_limits<double>::quiet_NaN()))));
}

TEST(ReorderTypes, EveryPairOfTypesAndLayouts) {
  const Shape shape{2, 5, 4, 37};
  for (const DataType from_type : types)
    for (const DataType to_type : types)
      for (const auto& [from_layout, to_layout] : {std::pair{"nhwc", "nhwc"}, {"nhwc", "nchw"}, {"nchw16c", "nhwc"}, {"nchw", "nchw8c"}, {"nchw16c", "nchw16c"}}) {
        const TensorSpec from = activation(from_type, shape, from_layout), to = activation(to_type, shape, to_layout);
        const auto run = reorder_run(from, to);
        const auto found = testing::run_on_cpu(run)[0];
        // Element by element through the layouts' own offsets; what is left is padding.
        testing::Bytes expected(to.bytes());
        reorder::with_conversion(from_type, to_type, [&](auto conversion) {
          using Types = reorder::ConversionTypes<decltype(conversion)>;
          std::int64_t i[4];
          for (i[0] = 0; i[0] < 2; ++i[0])
            for (i[1] = 0; i[1] < 5; ++i[1])
              for (i[2] = 0; i[2] < 4; ++i[2])
                for (i[3] = 0; i[3] < 37; ++i[3]) {
                  typename Types::Source value;
                  std::memcpy(&value, run.inputs[0].data() + from.layout.offset(i) * static_cast<std::int64_t>(sizeof value), sizeof value);
                  const typename Types::Target moved = conversion(value);
                  std::memcpy(expected.data() + to.layout.offset(i) * static_cast<std::int64_t>(sizeof moved), &moved, sizeof moved);
                }
        });
        EXPECT_EQ(found, expected) << describe_layout(from) << " " << to_text(from_type) << " to " << describe_layout(to) << " " << to_text(to_type);
        auto planned = run;
        planned.make = [=](Device& device) { return plan_reorder(from, to, device); };
        EXPECT_EQ(testing::run_on_cpu(planned)[0], expected);
      }
}

TEST(ReorderTypes, IntegersAreMovedAndNotConverted) {
  const auto device = std::move(make_cpu_device().value());
  const Shape shape{1, 2, 3, 4};
  for (const DataType type : {DataType::i32, DataType::i64, DataType::u8}) {
    EXPECT_TRUE(plan_own_reorder(activation(type, shape, "nhwc"), activation(type, shape, "nchw"), *device));
    EXPECT_FALSE(plan_reorder(activation(type, shape, "nhwc"), activation(DataType::f32, shape, "nhwc"), *device));
    EXPECT_FALSE(plan_reorder(activation(DataType::f32, shape, "nhwc"), activation(type, shape, "nhwc"), *device));
  }
}

TEST(ReorderTransposition, TilesMoveEveryElementOnceToItsPlace) {
  for (const Shape& shape : {Shape{2, 5, 7, 37}, Shape{3, 8, 8, 64}, Shape{1, 1, 33, 2}, Shape{2, 3, 3, 3, 33}, Shape{1, 40, 1, 2, 5}}) {
    const bool is_activation = shape.size() == 4;
    const TensorSpec plain{"x", DataType::f32, shape, canonical_layout(shape)};
    TensorSpec planes = plain;
    planes.layout = permuted_layout(shape, is_activation ? std::vector{0, 3, 1, 2} : std::vector{0, 1, 4, 2, 3});
    for (const auto& [from, to] : {std::pair{plain, planes}, {planes, plain}}) {
      const auto transpose = reorder::transpose_of(from, to);
      ASSERT_TRUE(transpose);
      const auto run = reorder_run(from, to);
      const auto source = values_of<std::uint32_t>(run.inputs[0]);
      std::vector<std::uint32_t> target(source.size());
      std::vector<int> visits(source.size());
      for (std::int64_t k = 0; k < transpose->tiles(); ++k) {
        const auto tile = transpose->tile(k);
        for (int r = 0; r < reorder::tile_size; ++r)
          for (int c = 0; c < reorder::tile_size; ++c)
            if (transpose->holds(tile, r, c)) {
              const auto at = static_cast<std::size_t>(transpose->target(tile, r, c));
              target.at(at) = source.at(static_cast<std::size_t>(transpose->source(tile, r, c))), ++visits.at(at);
            }
      }
      EXPECT_EQ(std::set<int>(visits.begin(), visits.end()), std::set<int>{1});
      EXPECT_EQ(testing::run_on_cpu(run)[0], bytes_of(target));
    }
  }
  const Shape shape{2, 4, 4, 32};
  EXPECT_FALSE(reorder::transpose_of(activation(DataType::f32, shape, "nhwc"), activation(DataType::f32, shape, "nchw16c")));
  EXPECT_FALSE(reorder::transpose_of(activation(DataType::f32, shape, "nchw"), activation(DataType::f32, shape, "nchw")));
}

class GpuReorder : public testing::OnGpu {};

TEST_F(GpuReorder, HasTheCpusBits) {
  const char* layouts[] = {"nhwc", "nchw", "nchw16c", "nchw8c"};
  const Shape filters{1, 20, 3, 2, 18}, large{4, 57, 61, 96};
  for (const DataType from_type : types)
    for (const DataType to_type : types) {
      for (const char* from : layouts)
        for (const char* to : layouts)
          testing::expect_cpu_bytes(*device_, reorder_run(activation(from_type, {2, 5, 4, 37}, from), activation(to_type, {2, 5, 4, 37}, to)), std::string(from) + " to " + to);
      const TensorSpec plain{"w", from_type, filters, canonical_layout(filters)}, moved{"w", to_type, filters, permuted_layout(filters, {0, 1, 4, 2, 3})},
          other{"w", to_type, filters, permuted_layout(filters, {2, 3, 4, 0, 1})};
      testing::expect_cpu_bytes(*device_, reorder_run(plain, moved), "filters");
      testing::expect_cpu_bytes(*device_, reorder_run(plain, other), "filters, rsckg");
    }
  testing::expect_cpu_bytes(*device_, reorder_run(activation(DataType::f32, large, "nhwc"), activation(DataType::f32, large, "nchw")), "large");
  testing::expect_cpu_bytes(*device_, reorder_run(activation(DataType::u8, large, "nchw"), activation(DataType::u8, large, "nhwc")), "large, u8");
}

}  // namespace
}  // namespace detbench
