// The gradient of bilinear resizing: against the fp64 reference, PyTorch's stored numbers, the forward pass that it is the
// transpose of, and its own definition bit for bit.
#include "kernels/resize/resize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/resize/parts.hpp"
#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/product_sums.hpp"
#include "kernels/tensor/stored_types.hpp"
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/plan_bits.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

using namespace resize;
using testing::PlanRunner;

// Up, down, both, by whole and odd factors, one pixel, the same size, more channels than a group.
const char* const shapes[] = {"mb2_c5_ih7_iw5_oh14_ow10", "mb1_c1_ih1_iw1_oh6_ow5",  "mb1_c3_ih9_iw8_oh4_ow3", "mb2_c70_ih5_iw11_oh13_ow4",
                              "mb1_c2_ih6_iw7_oh1_ow1",   "mb3_c4_ih5_iw4_oh5_ow4", "mb1_c1_ih33_iw2_oh34_ow3"};
const char* const all_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};
Problem problem_of(const std::string& shape, const std::string& types = "f32_f32_strict", const std::string& layout = "nhwc") {
  return {"resize_bilinear_bwd", shape, types, layout};
}
const Algorithm gather{"fixed_order", "gather", {}, {}};

TEST(ResizeBilinear, EveryOfferAgreesWithTheReference) {
  const auto operation = make_resize_bilinear_operation();
  int onednn = 0;
  for (const char* shape : shapes)
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        const Problem problem = problem_of(shape, types, layout);
        PlanRunner runner(3);
        int ran = 0;
        for (const auto& provider : operation->providers()) {
          const auto offers = provider->offers(problem, runner.device()).value();
          for (const auto& offer : offers) {
            if (offer.unsupported) continue;
            for (const auto fill : {InputFill::rounding, InputFill::wide}) {
              const auto found = runner.verify(*operation, problem, offer.algorithm, {fill, 5});
              EXPECT_TRUE(found.passed) << case_id(problem, offer.algorithm) << " " << to_text(fill) << ": " << found.reason << " ratio " << found.bound_ratio;
            }
            ++ran;
            onednn += offer.algorithm.provider == "onednn";
          }
        }
        EXPECT_GE(ran, 2) << problem_id(problem);
      }
  const bool absent = operation->find_provider("onednn")->offers(problem_of(shapes[0]), PlanRunner().device()).value()[0].unsupported.has_value();
  EXPECT_EQ(onednn > 0, !absent);
}

/// The order that bilinear.hpp states, from its text alone, canonical order.
std::vector<float> naive(const ResizeProblem& p, const std::vector<float>& dy) {
  struct Reads {
    std::int64_t first;
    float own, next;
  };
  const auto reads = [](std::int64_t o, std::int64_t i, std::int64_t outputs) {
    const std::int64_t at = std::max<std::int64_t>((2 * o + 1) * i - outputs, 0), first = at / (2 * outputs), rest = at % (2 * outputs);
    if (first >= i - 1) return Reads{i - 1, 1, 0};
    return Reads{first, static_cast<float>(static_cast<double>(2 * outputs - rest) / static_cast<double>(2 * outputs)),
                 static_cast<float>(static_cast<double>(rest) / static_cast<double>(2 * outputs))};
  };
  const auto weight = [](const Reads& r, std::int64_t i) { return r.first == i ? r.own : r.first + 1 == i ? r.next : 0.0f; };
  std::vector<float> dx;
  for (std::int64_t n = 0; n < p.images; ++n)
    for (std::int64_t y = 0; y < p.ih; ++y)
      for (std::int64_t x = 0; x < p.iw; ++x)
        for (std::int64_t c = 0; c < p.channels; ++c) {
          float sum = 0;
          for (std::int64_t r = 0; r < p.oh; ++r)
            for (std::int64_t s = 0; s < p.ow; ++s) {
              const float row = weight(reads(r, p.ih, p.oh), y), column = weight(reads(s, p.iw, p.ow), x);
              if (row > 0 && column > 0) sum += row * column * dy[static_cast<std::size_t>(((n * p.oh + r) * p.ow + s) * p.channels + c)];
            }
          dx.push_back(sum);
        }
  return dx;
}

TEST(ResizeBilinear, GatherHasTheStatedOrdersBitsEverywhere) {
  const auto operation = make_resize_bilinear_operation();
  for (const char* shape : shapes)
    for (const char* types : all_types) {
      const auto p = parse_resize(problem_of(shape, types)).value();
      const auto spec = p.diff_dst().value();
      const auto wide = filled_values(spec.type, spec.shape, *operation->fill(problem_of(shape, types), spec, {})).value();
      const auto expected = naive(p, std::vector<float>(wide.begin(), wide.end()));
      for (const char* layout : {"nhwc", "nchw"})
        for (const int threads : {1, 2, 5}) {
          PlanRunner runner(threads);
          ASSERT_TRUE(runner.verify(*operation, problem_of(shape, types, layout), gather, {}).passed);
          std::vector<std::byte> bytes;
          gather_canonical(runner.outputs()[0], bytes);
          EXPECT_EQ(std::memcmp(bytes.data(), expected.data(), bytes.size()), 0) << shape << " " << types << " " << layout << ", " << threads << " threads";
        }
    }
}

// Scattered on one thread, gradients meet in the order in which the fixed order gathers them, where an input has at most two
// outputs a dimension it has the very same terms.
TEST(ResizeBilinear, ScatteringDiffersInHowOutputsMeetAlone) {
  const auto operation = make_resize_bilinear_operation();
  for (const char* shape : shapes)
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        const Problem problem = problem_of(shape, types, layout);
        PlanRunner runner(1);
        ASSERT_TRUE(runner.verify(*operation, problem, gather, {}).passed);
        const auto expected = to_hex(runner.digest());
        ASSERT_TRUE(runner.verify(*operation, problem, {"openmp", "scatter", {}, {}}, {}).passed);
        EXPECT_EQ(to_hex(runner.digest()), expected) << problem_id(problem);
      }
  PlanRunner runner;
  const auto contention = [&](const char* shape) {
    return operation->find_provider("openmp")->plan(problem_of(shape), {"openmp", "scatter", {}, {}}, runner.device()).value()->notes().at("contention");
  };
  EXPECT_EQ(contention("mb1_c1_ih8_iw8_oh16_ow16"), "16");  // four outputs a dimension
  EXPECT_EQ(contention("mb3_c4_ih5_iw4_oh5_ow4"), "1");
}

/// The forward pass in fp64 from the position itself, (N,H,W,C).
std::vector<double> resized(const ResizeProblem& p, const std::vector<double>& x) {
  const auto at = [](std::int64_t o, std::int64_t i, std::int64_t outputs) {
    const double position = (static_cast<double>(o) + 0.5) * static_cast<double>(i) / static_cast<double>(outputs) - 0.5;
    return std::clamp(position, 0.0, static_cast<double>(i - 1));
  };
  std::vector<double> y;
  for (std::int64_t n = 0; n < p.images; ++n)
    for (std::int64_t r = 0; r < p.oh; ++r)
      for (std::int64_t s = 0; s < p.ow; ++s)
        for (std::int64_t c = 0; c < p.channels; ++c) {
          const double v = at(r, p.ih, p.oh), h = at(s, p.iw, p.ow);
          const auto top = static_cast<std::int64_t>(v), left = static_cast<std::int64_t>(h);
          const auto pixel = [&](std::int64_t i, std::int64_t j) {
            i = std::min(i, p.ih - 1), j = std::min(j, p.iw - 1);
            return x[static_cast<std::size_t>(((n * p.ih + i) * p.iw + j) * p.channels + c)];
          };
          const double down = v - static_cast<double>(top), right = h - static_cast<double>(left);
          y.push_back((1 - down) * ((1 - right) * pixel(top, left) + right * pixel(top, left + 1)) +
                      down * ((1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1)));
        }
  return y;
}

// <dy, resize(x)> = <gradient(dy), x>.
TEST(ResizeBilinear, IsTheTransposeOfResizing) {
  const auto operation = make_resize_bilinear_operation();
  for (const char* shape : shapes) {
    const auto p = parse_resize(problem_of(shape)).value();
    PlanRunner runner;
    ASSERT_TRUE(runner.verify(*operation, problem_of(shape), gather, {}).passed);
    const auto* dy = static_cast<const float*>(runner.inputs()[0].region.data);
    const auto* dx = static_cast<const float*>(runner.outputs()[0].region.data);
    std::vector<double> x;
    for (std::int64_t i = 0; i < p.sizes().inputs(); ++i) x.push_back(std::sin(0.7 * static_cast<double>(i) + 1));
    const auto y = resized(p, x);
    double forward = 0, backward = 0, magnitude = 0;
    for (std::size_t i = 0; i < y.size(); ++i) forward += dy[i] * y[i], magnitude += std::abs(dy[i] * y[i]);
    for (std::size_t i = 0; i < x.size(); ++i) backward += dx[i] * x[i];
    EXPECT_NEAR(forward, backward, 1e-6 * magnitude + 1e-9) << shape;
  }
}

TEST(ResizeBilinear, AgreesWithPyTorch) {
  std::ifstream file(DETBENCH_TORCH_RESIZE);
  const auto document = nlohmann::json::parse(file);
  int cases = 0;
  for (const auto& stored : document.at("cases")) {
    const Problem problem = problem_of(stored.at("shape"), "f32_f32_strict", "nchw");
    const auto p = parse_resize(problem).value();
    std::vector<float> dy;
    for (std::int64_t i = 0; i < p.sizes().outputs(); ++i) dy.push_back(static_cast<float>((i * 37 + 11) % 64 - 32) / 16.0f);
    const testing::PlanRun run{[&](Device& device) { return make_resize_bilinear_operation()->find_provider("fixed_order")->plan(problem, gather, device); },
                               {testing::bytes_of(dy)}};
    const auto dx = testing::values_of<float>(testing::run_on_cpu(run).at(0));
    const auto expected = stored.at("diff_src").get<std::vector<double>>();
    ASSERT_EQ(dx.size(), expected.size());
    const double terms = static_cast<double>(most_outputs_over(p.sizes()));
    for (std::size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(dx[i], expected[i], 0x1p-24 * 2 * (terms + 8) * (terms + 1)) << problem.shape << " " << i;
    ++cases;
  }
  EXPECT_EQ(cases, 8);
}

// outputs_over() against its definition: every output, asked whether it reads the input.
TEST(ResizeBilinear, OutputsOverAnInputAreThoseThatReadIt) {
  for (int inputs = 1; inputs <= 14; ++inputs)
    for (int outputs = 1; outputs <= 40; ++outputs)
      for (int i = 0; i < inputs; ++i) {
        const Range range = outputs_over(i, inputs, outputs);
        for (int o = 0; o < outputs; ++o) {
          const auto read = neighbours_of(o, inputs, outputs);
          const bool reads = read.first == i || (read.first + 1 == i && read.next > 0);
          ASSERT_EQ(range.first <= o && o < range.last, reads) << inputs << " " << outputs << " " << i << " " << o;
        }
      }
}

struct PlainAdd {
  void operator()(float* target, float value) const { *target += value; }
};
// The functors that a GPU's threads run, called for every index on the host: the CPU's bits.
template <class Index, class Stored>
void expect_functors_give_the_cpus_bits(const char* types) {
  for (const char* shape : shapes)
    for (const char* layout : {"nhwc", "nchw"}) {
      const Problem problem = problem_of(shape, types, layout);
      const auto operation = make_resize_bilinear_operation();
      PlanRunner runner;
      ASSERT_TRUE(runner.verify(*operation, problem, gather, {}).passed);
      const Sizes sizes = parse_resize(problem)->sizes();
      const auto* dy = static_cast<const typename Stored::Stored*>(runner.inputs()[0].region.data);
      std::vector<float> gathered(static_cast<std::size_t>(sizes.inputs()), -1), scattered(gathered.size(), 0);
      for (Index i = 0; i < static_cast<Index>(sizes.inputs()); ++i) Gather<Stored>{sizes, dy, gathered.data()}(i);
      for (Index i = 0; i < static_cast<Index>(sizes.outputs()); ++i) Scatter<Stored, PlainAdd>{sizes, dy, scattered.data(), {}}(i);
      EXPECT_EQ(std::memcmp(gathered.data(), runner.outputs()[0].region.data, gathered.size() * sizeof(float)), 0) << problem_id(problem);
      EXPECT_EQ(std::memcmp(scattered.data(), runner.outputs()[0].region.data, gathered.size() * sizeof(float)), 0) << "scatter, " << problem_id(problem);
    }
}
TEST(ResizeBilinear, TheGpusFunctorsGiveTheCpusBits) {
  expect_functors_give_the_cpus_bits<std::uint32_t, F32>("f32_f32_strict");
  expect_functors_give_the_cpus_bits<std::uint64_t, F32>("f32_f32_strict");
  expect_functors_give_the_cpus_bits<std::uint32_t, F16>("f16_f32_strict");
  expect_functors_give_the_cpus_bits<std::uint32_t, Bf16>("bf16_f32_strict");
}

TEST(ResizeBilinear, ASampleKeepsItsBitsInALargerBatch) {
  const auto operation = make_resize_bilinear_operation();
  const auto variant = operation->in_batch(problem_of(shapes[0]), 6, 3);
  ASSERT_TRUE(variant) << variant.error().text;
  EXPECT_EQ(variant->problem.shape, "mb6_c5_ih7_iw5_oh14_ow10");
  EXPECT_EQ(operation->batch_size(problem_of(shapes[0])).value(), 2);
}

TEST(ResizeBilinear, RefusesNonsenseInOneLine) {
  const auto operation = make_resize_bilinear_operation();
  for (const auto& [problem, names] : {std::pair{problem_of("mb1_c1_ih2_iw2_oh4"), "ow"}, {problem_of("mb1_c1_ih0_iw2_oh4_ow4"), "ih0"},
                                       {problem_of("mb1_c1_ih2_iw2_oh4_ow4", "f64_f64_strict"), "f32_f32_strict"},
                                       {problem_of("mb1_c1_ih2_iw2_oh4_ow4", "f32_f32_strict", "nchw16c"), "nchw"},
                                       {problem_of("mb1048576_c1048576_ih2_iw2_oh4_ow4"), "2^36"}}) {
    const auto status = operation->check(problem);
    ASSERT_FALSE(status) << problem_id(problem);
    EXPECT_NE(status.error().text.find(names), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
  }
}

class GpuResize : public testing::OnGpu {};
TEST_F(GpuResize, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  const auto operation = make_resize_bilinear_operation();
  for (const char* shape : shapes)
    for (const char* types : all_types)
      for (const char* layout : {"nhwc", "nchw"}) {
        const Problem problem = problem_of(shape, types, layout);
        EXPECT_GE(testing::verify_offers(*operation, problem, {InputFill::rounding, 5}, *device_), 2) << problem_id(problem);
        testing::expect_cpu_bits(*operation, problem, "fixed_order:gather", {}, *device_);
      }
}

}  // namespace
}  // namespace detbench
