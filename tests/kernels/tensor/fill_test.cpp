#include "kernels/tensor/fill.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <map>

#include "kernels/tensor/digest.hpp"
#include "kernels/tensor/fill_arithmetic.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

using Kind = FillSpec::Kind;

FillSpec spec_of(Kind kind, double scale = 1, std::int64_t limit = 8, double density = 1) {
  return {kind, 5, "conv_fwd/src", scale, limit, density};
}

void fill(HostTensor& tensor, const FillSpec& spec) {
  const Status status = fill_on_host(tensor.tensor, spec);
  ASSERT_TRUE(status) << status.error().text;
}

struct KnownFill {
  DataType type;
  FillSpec spec;
  const char* digest;
};

TEST(Fill, VersionOneIsFrozen) {
  // Digests of 600 elements from a second implementation in Python (unbounded integers, its own Philox and rounding):
  // whoever changes a fill makes a new fill version.
  EXPECT_EQ(fill_version, 1);
  const KnownFill known[] = {{DataType::f32, spec_of(Kind::uniform, 1.5), "339cff3c2dda4a80b2a3bece31704f2f"},
                             {DataType::f16, spec_of(Kind::uniform, 1.5), "27087272fd573f90d19d2f6a3907279d"},
                             {DataType::f64, spec_of(Kind::uniform, 1.5), "ac17b6a0ba7fa87ef3530634d1ea5f34"},
                             {DataType::f32, spec_of(Kind::normal, 1.5), "29bb165592b05c9a5d7c68ea16e9efef"},
                             {DataType::f64, spec_of(Kind::normal, 1.5), "1440d3588fffc8044da5aaad61db761d"},
                             {DataType::f32, spec_of(Kind::truncated_normal, 1.5), "10dc3ad90d4fe125148354ab4de817ab"},
                             {DataType::f64, spec_of(Kind::truncated_normal, 1.5), "e34db055df4c399c803bb6dc9b56c42c"},
                             {DataType::f32, spec_of(Kind::integers, 1.5, 7, 0.4), "b94d723033fec65c291ced0e99be5b57"},
                             {DataType::i32, spec_of(Kind::integers, 1, 7, 0.4), "c8ab7aa938f855212a1c175aac6752d0"},
                             {DataType::f32, spec_of(Kind::wide, 1.5, 20), "32921e506c9de63828293624c48dd8d9"},
                             {DataType::f64, spec_of(Kind::wide, 1.5, 20), "4d78be4974e607bf5ae3904ea3e271c4"},
                             {DataType::i64, spec_of(Kind::index, 1, 1000), "44452774c86f8c66889509dcfbcec09e"},
                             {DataType::u8, spec_of(Kind::index, 1, 256), "db0ea320f8d760d3b8ee5deaaa149433"}};
  for (const auto& [type, spec, digest] : known) {
    HostTensor t(type, {600});
    fill(t, spec);
    EXPECT_EQ(to_hex(digest_on_host({&t.tensor, 1})), digest)
        << to_text(type) << " kind " << static_cast<int>(spec.kind);
  }
}

std::vector<std::pair<DataType, FillSpec>> every_fill() {
  std::vector<std::pair<DataType, FillSpec>> fills;
  for (const DataType type : {DataType::f32, DataType::f64, DataType::f16, DataType::bf16})
    for (const Kind kind : {Kind::constant, Kind::integers, Kind::uniform, Kind::normal, Kind::truncated_normal, Kind::wide, Kind::positive,
                            Kind::cancelling})
      fills.emplace_back(type, spec_of(kind, 0.75, 8, 0.5));
  for (const DataType type : {DataType::i32, DataType::i64})
    for (const Kind kind : {Kind::constant, Kind::integers, Kind::index})
      fills.emplace_back(type, spec_of(kind, 3, 100, 0.5));
  for (const Kind kind : {Kind::constant, Kind::index}) fills.emplace_back(DataType::u8, spec_of(kind, 3, 100));
  return fills;
}

TEST(Fill, AnElementDependsOnSeedStreamAndIndexAlone) {
  const int before = omp_get_max_threads();
  for (const auto& [type, spec] : every_fill()) {
    const std::size_t bytes = size_of(type);
    HostTensor reference(type, {60013});
    omp_set_num_threads(1);
    fill(reference, spec);
    for (const int threads : {2, 3, 8}) {
      omp_set_num_threads(threads);
      HostTensor again(type, {60013});
      fill(again, spec);
      EXPECT_EQ(again.memory, reference.memory);
    }
    for (const Shape& shape : std::vector<Shape>{{1}, {4097}, {2, 13, 5, 37}, {2, 19, 3, 3, 21}}) {
      for (const MemoryLayout& layout : sample_layouts(shape)) {
        HostTensor view(type, shape, layout), expected(type, shape, layout), prefix(type, shape);
        std::memcpy(prefix.memory.data(), reference.memory.data(), prefix.memory.size());
        copy_elements(prefix, expected);  // on zeroed memory: padding must be zero
        randomize(view.memory, 1);
        fill(view, spec);
        EXPECT_EQ(view.memory, expected.memory) << to_text(type) << " " << static_cast<int>(spec.kind) << " "
                                                << describe_layout(view.tensor.spec) << " of " << bytes;
      }
    }
  }
  omp_set_num_threads(before);
}

TEST(Fill, SeedsAndStreamsDiffer) {
  for (const auto& [type, spec] : every_fill()) {
    if (spec.kind == Kind::constant) continue;
    HostTensor a(type, {1000}), b(type, {1000}), c(type, {1000});
    fill(a, spec);
    FillSpec other = spec;
    other.seed = 6;
    fill(b, other);
    other = spec;
    other.stream = "conv_fwd/weights";
    fill(c, other);
    EXPECT_NE(a.memory, b.memory);
    EXPECT_NE(a.memory, c.memory);
    EXPECT_NE(b.memory, c.memory);
  }
}

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0, lowest = 0, highest = 0, neighbours = 0;
};
template <class T>
Moments moments(HostTensor& t) {
  Moments m;
  const auto n = static_cast<std::int64_t>(element_count(t.tensor.spec.shape));
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = t.as<T>()[i];
    m.mean += x / static_cast<double>(n);
    m.lowest = std::min(m.lowest, x);
    m.highest = std::max(m.highest, x);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = t.as<T>()[i] - m.mean;
    m.variance += x * x / static_cast<double>(n);
    m.kurtosis += x * x * x * x / static_cast<double>(n);
    m.neighbours += x * (t.as<T>()[(i + 1) % n] - m.mean) / static_cast<double>(n);
  }
  m.kurtosis /= m.variance * m.variance;
  m.neighbours /= m.variance;
  return m;
}

constexpr std::int64_t many = 1 << 20;  // standard error of a mean: 1e-3 deviations

template <class T>
void check_distributions(DataType type, int mantissa_bits) {
  HostTensor t(type, {many});
  fill(t, spec_of(Kind::uniform));
  Moments m = moments<T>(t);
  EXPECT_NEAR(m.mean, 0, 0.004);
  EXPECT_NEAR(m.variance, 1.0 / 3, 0.002);
  EXPECT_NEAR(m.kurtosis, 1.8, 0.01);
  EXPECT_NEAR(m.neighbours, 0, 0.006);
  EXPECT_GE(m.lowest, -1);
  EXPECT_LT(m.lowest, -0.9999);
  EXPECT_LT(m.highest, 1);
  EXPECT_GT(m.highest, 0.9999);
  std::int64_t full = 0;  // elements that use their last mantissa bit
  for (std::int64_t i = 0; i < many; ++i) {
    const double ulps = std::ldexp(std::abs(static_cast<double>(t.as<T>()[i])), mantissa_bits);
    EXPECT_EQ(ulps, std::floor(ulps));
    full += std::fmod(ulps, 2) == 1;
  }
  EXPECT_NEAR(static_cast<double>(full) / many, 0.5, 0.005);

  fill(t, spec_of(Kind::normal));
  m = moments<T>(t);
  EXPECT_NEAR(m.mean, 0, 0.006);
  EXPECT_NEAR(m.variance, 1, 0.01);
  EXPECT_NEAR(m.kurtosis, 2.9, 0.03);  // 3 - 6/5/12 of the Irwin-Hall distribution
  EXPECT_NEAR(m.neighbours, 0, 0.006);
  EXPECT_GT(m.highest, 4);
  EXPECT_LT(m.highest, 6);

  fill(t, spec_of(Kind::truncated_normal));
  m = moments<T>(t);
  EXPECT_NEAR(m.mean, 0, 0.005);
  // Of the standard normal distribution within two deviations: variance 1 - 4 phi(2) / (2 Phi(2) - 1), and its root is the
  // 0.8796... by which initializers divide; fourth moment 3 variance - 16 phi(2) / (2 Phi(2) - 1).
  EXPECT_NEAR(std::sqrt(m.variance), 0.87962566103423978, 0.002);
  EXPECT_NEAR(m.kurtosis, 2.3656, 0.015);
  EXPECT_NEAR(m.neighbours, 0, 0.006);
  EXPECT_GE(m.lowest, -2);
  EXPECT_LT(m.lowest, -1.999);
  EXPECT_LT(m.highest, 2);
  EXPECT_GT(m.highest, 1.999);
  std::int64_t within_one = 0;
  for (std::int64_t i = 0; i < many; ++i) within_one += std::abs(t.as<T>()[i]) < 1;
  EXPECT_NEAR(static_cast<double>(within_one) / many, 0.682689492 / 0.954499736, 0.003);

  fill(t, spec_of(Kind::wide, 1, 3));
  std::map<int, int> exponents;
  for (std::int64_t i = 0; i < many; ++i) {
    ASSERT_TRUE(std::isnormal(t.as<T>()[i]));
    ++exponents[std::ilogb(t.as<T>()[i])];
  }
  EXPECT_EQ(exponents.size(), 7u);
  for (const auto& [e, n] : exponents) {
    EXPECT_TRUE(e >= -3 && e <= 3);
    EXPECT_NEAR(n, many / 7.0, 6 * std::sqrt(many / 7.0));
  }
  EXPECT_NEAR(moments<T>(t).mean, 0, 0.03);
}

TEST(Fill, DistributionsOfF32) { check_distributions<float>(DataType::f32, 24); }
TEST(Fill, DistributionsOfF64) { check_distributions<double>(DataType::f64, 53); }

template <class T>
std::vector<T> drawn(DataType type, std::int64_t n, const FillSpec& spec) {
  HostTensor t(type, {n});
  fill(t, spec);
  const auto* values = static_cast<const T*>(t.tensor.region.data);
  return {values, values + n};
}

TEST(Fill, PositiveIsUniformFromZeroToOne) {
  for (const DataType type : {DataType::f32, DataType::f64}) {
    FillSpec spec{FillSpec::Kind::positive, 3, "test/positive"};
    const auto values = type == DataType::f64 ? drawn<double>(type, 1 << 16, spec) : [&] {
      const auto narrow = drawn<float>(type, 1 << 16, spec);
      return std::vector<double>(narrow.begin(), narrow.end());
    }();
    double sum = 0, squares = 0;
    for (double v : values) {
      ASSERT_GE(v, 0);
      ASSERT_LT(v, 1);
      sum += v, squares += v * v;
    }
    const double n = static_cast<double>(values.size());
    EXPECT_NEAR(sum / n, 0.5, 0.01);
    EXPECT_NEAR(squares / n, 1.0 / 3, 0.01);
  }
}

TEST(Fill, CancellingElementsAreOppositeButForTheirLastPlaces) {
  const std::int64_t half = 3000;
  FillSpec spec{FillSpec::Kind::cancelling, 5, "test/cancelling"};
  spec.limit = half;
  const auto check = [&](const auto& values, double most) {
    int equal = 0;
    for (std::int64_t i = 0; i < half; ++i) {
      const double a = static_cast<double>(values[i]), b = static_cast<double>(values[i + half]);
      ASSERT_LE(std::abs(a + b), most * std::abs(a)) << i;
      ASSERT_GE(std::abs(a), 0x1p-8);
      ASSERT_LT(std::abs(a), 0x1p9);
      equal += a + b == 0;
    }
    EXPECT_LT(equal, half / 2);
    EXPECT_EQ(static_cast<double>(values[2 * half]), 0) << "beyond the pairs";
  };
  check(drawn<float>(DataType::f32, 2 * half + 1, spec), 0x1p-13);
  check(drawn<double>(DataType::f64, 2 * half + 1, spec), 0x1p-26);
  std::vector<float> halves;
  for (const std::uint16_t bits : drawn<std::uint16_t>(DataType::f16, 2 * half + 1, spec)) halves.push_back(float_from_f16(bits));
  check(halves, 0x1p-7);
  spec.limit = 7;
  EXPECT_FALSE(plan_fill(DataType::f32, spec)) << "an odd limit";
}

TEST(Fill, IntegersHaveTheirDensityAndAreUniform) {
  HostTensor t(DataType::i32, {many});
  fill(t, spec_of(Kind::integers, 1, 5, 0.3));
  std::map<int, int> counts;
  for (std::int64_t i = 0; i < many; ++i) ++counts[t.as<std::int32_t>()[i]];
  EXPECT_EQ(counts.size(), 11u);
  EXPECT_NEAR(counts[0], 0.7 * many, 6 * std::sqrt(0.21 * many));
  for (int v = 1; v <= 5; ++v)
    for (const int s : {v, -v}) EXPECT_NEAR(counts[s], 0.03 * many, 6 * std::sqrt(0.03 * many)) << s;
  // The same draws as floats.
  HostTensor f(DataType::f32, {many});
  fill(f, spec_of(Kind::integers, 1, 5, 0.3));
  for (std::int64_t i = 0; i < many; ++i) ASSERT_EQ(f.as<float>()[i], static_cast<float>(t.as<std::int32_t>()[i]));
  fill(t, spec_of(Kind::integers, 1, 1, 1));
  for (std::int64_t i = 0; i < many; ++i) ASSERT_EQ(std::abs(t.as<std::int32_t>()[i]), 1);
  fill(t, spec_of(Kind::integers, 1, 1, 0));
  for (std::int64_t i = 0; i < many; ++i) ASSERT_EQ(t.as<std::int32_t>()[i], 0);
}

TEST(Fill, IndicesCoverTheirRange) {
  HostTensor t(DataType::i64, {many});
  fill(t, spec_of(Kind::index, 1, 10));
  std::map<std::int64_t, int> counts;
  for (std::int64_t i = 0; i < many; ++i) ++counts[t.as<std::int64_t>()[i]];
  EXPECT_EQ(counts.size(), 10u);
  EXPECT_EQ(counts.begin()->first, 0);
  for (const auto& [v, n] : counts) EXPECT_NEAR(n, many / 10.0, 6 * std::sqrt(many / 10.0)) << v;
  fill(t, spec_of(Kind::index, 1, INT64_MAX));
  double mean = 0;
  for (std::int64_t i = 0; i < many; ++i) {
    ASSERT_GE(t.as<std::int64_t>()[i], 0);
    mean += std::ldexp(static_cast<double>(t.as<std::int64_t>()[i]), -63) / many;
  }
  EXPECT_NEAR(mean, 0.5, 0.002);
}

TEST(Fill, MultiplyHighIsTheUpperHalfOfTheProduct) {
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const PhiloxWords r = philox4x32(i, 0, 0, 9);
    const std::uint64_t a = join(r.w[0], r.w[1]) | (i % 3 ? 0 : 0xFFFFFFFF00000000u),
                        b = join(r.w[2], r.w[3]) | (i % 5 ? 0 : 0xFFFFFFFFu);
    ASSERT_EQ(multiply_high(a, b), static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b >> 64));
  }
}

TEST(Fill, BadSpecsAreRefusedWithFieldValueAndRange) {
  const auto reason = [](DataType type, const FillSpec& spec) {
    HostTensor t(type, {8});
    const Status status = fill_on_host(t.tensor, spec);
    EXPECT_FALSE(status);
    if (status) return std::string();
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
    return status.error().text;
  };
  using testing::HasSubstr;
  EXPECT_THAT(reason(DataType::bf16, spec_of(Kind::integers, 1, 257)),
              HasSubstr("limit 257 is outside [1, 256] for bf16"));
  EXPECT_THAT(reason(DataType::f16, spec_of(Kind::integers, 1, 2049)), HasSubstr("[1, 2048]"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::integers, 1, 0)), HasSubstr("limit 0"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::integers, 1, 1, 1.5)), HasSubstr("density 1.5"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::integers, 1, 1, std::nan(""))), HasSubstr("density"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::uniform, INFINITY)), HasSubstr("scale"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::wide, 1, 127)), HasSubstr("[0, 126]"));
  EXPECT_THAT(reason(DataType::f16, spec_of(Kind::wide, 1, 15)), HasSubstr("[0, 14]"));
  EXPECT_THAT(reason(DataType::i32, spec_of(Kind::normal)), HasSubstr("floating-point type, not i32"));
  EXPECT_THAT(reason(DataType::f32, spec_of(Kind::index)), HasSubstr("not f32"));
  EXPECT_THAT(reason(DataType::u8, spec_of(Kind::integers)), HasSubstr("u8"));
  EXPECT_THAT(reason(DataType::u8, spec_of(Kind::index, 1, 257)), HasSubstr("[1, 256]"));
  EXPECT_THAT(reason(DataType::u8, spec_of(Kind::constant, 256)), HasSubstr("[0, 255]"));
  EXPECT_THAT(reason(DataType::i32, spec_of(Kind::constant, 0.5)), HasSubstr("integers"));
  EXPECT_THAT(reason(DataType::i32, spec_of(Kind::constant, 3e9)), HasSubstr("scale"));
  HostTensor t(DataType::f32, {8});
  t.tensor.region.bytes = 31;
  const Status status = fill_on_host(t.tensor, spec_of(Kind::uniform));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text, HasSubstr("needs 32 bytes, its memory has 31"));
}

TEST(Fill, NamesRoundTrip) {
  for (const InputFill f : {InputFill::exact, InputFill::rounding, InputFill::wide})
    EXPECT_EQ(parse_input_fill(to_text(f)), f);
  EXPECT_EQ(parse_input_fill("Exact"), std::nullopt);
}

}  // namespace
}  // namespace detbench
