// The CUDA segmented sums: each against the reference and three with the CPU's bits on a GPU, where there is one; how warps and
// blocks add up, on the host.
#include <gtest/gtest.h>

#include "kernels/segmented_sum/warp_chunks.hpp"
#include "segment_runner.hpp"
#include "tests/kernels/device_runner.hpp"

namespace detbench {
namespace {

using namespace segmented_sum;
using testing::segmented_problem;
using testing::spread_values;

class GpuSegmentedSum : public testing::OnGpu {};

const char* const all_types[] = {"f32_f32_strict", "f64_f64_strict", "f16_f32_strict", "bf16_f32_strict"};

TEST_F(GpuSegmentedSum, EveryArmIsAcceptedAndOursHaveTheCpusBits) {
  const auto operation = make_segmented_sum_operation();
  for (const char* types : all_types)
    for (const char* shape : {"n1_seg1", "n5000_seg7", "n100_seg300_skewed", "n2049_seg1", "n3000000_seg40_skewed", "n1000003_seg2", "n300000_seg50000_skewed_wide",
                              "n700000_seg3_skewed_cancelling"}) {
      const Problem problem = segmented_problem(shape, types);
      for (const auto fill : {InputFill::exact, InputFill::rounding}) EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 4) << shape;
      for (const char* algorithm : {"fixed_order:segment_tree", "order_independent:exact_window"}) testing::expect_cpu_bits(*operation, problem, algorithm, {}, *device_);
    }
  testing::expect_cpu_bits(*operation, segmented_problem("n300000_seg5000_skewed"), "fixed_order:row_in_order", {}, *device_);
}

template <class S>
void expect_warps_follow_the_tree() {
  using Sum = decltype(reduction::widened(S{}));
  for (std::int64_t n : {1, 31, 32, 33, 63, 64, 65, 480, 544, 2047, 2048}) {
    const auto values = spread_values<S>(n);
    Sum threads[32];
    for (int thread = 0; thread < 32; ++thread) threads[thread] = sum_own_lanes(values.data(), n, thread);
    for (int distance = 16; distance > 0; distance /= 2)  // __shfl_down_sync
      for (int thread = 0; thread < 32; ++thread) threads[thread] += threads[std::min(31, thread + distance)];
    std::vector<Sum> wide;
    for (const S value : values) wide.push_back(reduction::widened(value));
    EXPECT_EQ(finished_sum(threads[0]), testing::naive_tree(wide)) << n;
  }
}
TEST(SegmentedSumOnCuda, WarpsFollowTheTree) {
  expect_warps_follow_the_tree<float>();
  expect_warps_follow_the_tree<double>();
  expect_warps_follow_the_tree<reduction::F16Bits>();
  expect_warps_follow_the_tree<reduction::Bf16Bits>();
}

// The whole of segment_tree's two launches, by the functions that the kernels call: the CPU's bits.
TEST(SegmentedSumOnCuda, WindowsAndJoinsGiveTheCpusBits) {
  for (const char* shape : {"n1_seg1", "n4096_seg1", "n2049_seg1", "n600001_seg1", "n300000_seg7_skewed", "n9000_seg200_skewed", "n100_seg300_skewed", "n70000_seg9"}) {
    const Problem problem = segmented_problem(shape);
    const auto p = parse_segmented(problem).value();
    const auto values = spread_values<float>(p.n);
    const auto cuts = testing::random_cuts(p.segments);
    const Segments segments{p.n, p.segments, p.skewed, cuts.data()};
    const Windows windows{p.n, cuda_window};
    std::vector<float> out(static_cast<std::size_t>(p.segments), -1.0f), places(static_cast<std::size_t>(windows.places()), 1e30f);
    const auto chunk = [&](std::int64_t begin, std::int64_t length) {
      float threads[32];
      for (int thread = 0; thread < 32; ++thread) threads[thread] = sum_own_lanes(values.data() + begin, length, thread);
      for (int distance = 16; distance > 0; distance /= 2)
        for (int thread = 0; thread < 32; ++thread) threads[thread] += threads[std::min(31, thread + distance)];
      return threads[0];
    };
    for (std::int64_t window = 0; window < windows.count(); ++window)
      visit_window(
          segments, windows, window,
          [&](std::int64_t s, std::int64_t begin, std::int64_t length) { out[static_cast<std::size_t>(s)] = length == 0 ? 0.0f : finished_sum(chunk(begin, length)); },
          [&](std::int64_t, std::int64_t place, std::int64_t begin, std::int64_t length, std::int64_t) { places[static_cast<std::size_t>(place)] = chunk(begin, length); });
    for (std::int64_t window = 0; window < windows.count(); ++window) {
      const std::int64_t s = long_segment_of(segments, windows, window);
      if (s < 0) continue;
      float roots[join_threads];
      for (int thread = 0; thread < join_threads; ++thread) roots[thread] = join_run(places.data(), window, windows.pieces(segments.length(s)), thread);
      for (int distance = 1; distance < join_threads; distance *= 2)
        for (int node = 0; node < join_threads; node += 2 * distance) roots[node] += roots[node + distance];
      out[static_cast<std::size_t>(s)] = finished_sum(roots[0]);
    }
    EXPECT_TRUE(testing::bytes_of(out) == testing::run_on_cpu(testing::named_run(problem, "fixed_order:segment_tree", values, cuts)).at(0)) << shape;
  }
}

}  // namespace
}  // namespace detbench
