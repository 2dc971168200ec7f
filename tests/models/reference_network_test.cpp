#include "models/reference_network.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/tensor/compare.hpp"
#include "models/initializers.hpp"
#include "models/mobilenet_v2.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench {
namespace {

using testing::Example;

/// Central differences against the analytic gradient, for a seeded sample of every parameter tensor. A difference that
/// crosses a kink of ReLU6 is wrong by itself: it shows as a disagreement between two step widths, and is left out; few are.
void check_gradients(const Network& network, std::int64_t batch, std::uint64_t seed, int per_parameter, std::size_t every = 1) {
  Example example(network, batch, seed);
  // Random gammas and betas: at their initial values many gradients vanish by symmetry.
  std::mt19937_64 random(seed);
  const auto parameters_of = network.parameters();
  for (std::size_t p = 0; p < parameters_of.size(); ++p)
    if (parameters_of[p].role != "kernel")
      for (double& v : example.parameters[p]) v += 0.5 * (static_cast<double>(random() >> 11) * 0x1p-53 - 0.5);
  ReferenceNetwork reference(network, batch, example.images, example.labels);
  std::vector<std::vector<double>> analytic;
  reference.gradients(example.parameters, analytic);
  int checked = 0, kinks = 0;
  for (std::size_t p = 0; p < parameters_of.size(); p += every)
    for (int t = 0; t < per_parameter; ++t) {
      const std::size_t j = random() % analytic[p].size();
      auto& value = example.parameters[p][j];
      const double keep = value;
      const auto difference = [&](double h) {
        value = keep + h;
        const double above = reference.loss(example.parameters);
        value = keep - h;
        const double below = reference.loss(example.parameters);
        value = keep;
        return (above - below) / (2 * h);
      };
      // A central difference errs by O(h^2); rounding adds some 1e-16/h.
      const double wide = difference(2e-6), narrow = difference(1e-6);
      const double scale = std::abs(wide) + std::abs(narrow) + 1e-4;
      if (std::abs(wide - narrow) > 1e-4 * scale) {
        ++kinks;
        continue;
      }
      ++checked;
      EXPECT_NEAR(analytic[p][j], narrow, 3e-4 * scale) << parameters_of[p].name << "[" << j << "]";
    }
  EXPECT_GT(checked, 9 * kinks) << "too many differences met a kink: " << kinks << " of " << checked + kinks;
}

TEST(ReferenceNetwork, GradientsOfEveryKindOfLayerAgreeWithFiniteDifferences) { check_gradients(testing::small_network(), 3, 11, 12); }

TEST(ReferenceNetwork, GradientsOfMobileNetV2AgreeWithFiniteDifferences) {
  // Every fifth tensor of 158: kernels, gammas and betas of all depths take turns.
  check_gradients(make_mobilenet_v2(0.35, 32, 5).value(), 4, 12, 1, 5);
}

}  // namespace
}  // namespace detbench
