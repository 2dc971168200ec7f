// Every algorithm that a device is offered, through fill, op and reference, as the sweep does it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

/// Every input and output of an op in memory of its own, poisoned where the op writes. `wanted` says which providers are tried.
template <class Wanted>
void verify_providers(const Operation& operation, const Problem& problem, Device& device, InputFill fill, const Wanted& wanted) {
  const Inputs inputs{fill, 5};
  const auto reference = operation.reference(problem, inputs);
  ASSERT_TRUE(reference.has_value()) << reference.error().text;
  const auto stream = std::move(*device.make_stream());
  for (const auto& provider : operation.providers()) {
    if (!wanted(provider->name())) continue;
    const auto offers = provider->offers(problem, device);
    ASSERT_TRUE(offers.has_value()) << offers.error().text;
    for (const Offer& offer : *offers) {
      if (offer.unsupported) continue;
      const std::string name = case_id(problem, offer.algorithm);
      const auto plan = provider->plan(problem, offer.algorithm, device);
      // A vendor's library may tell what it lacks only when it makes a kernel, or when it is called.
      if (!plan && plan.error().kind == Reason::Kind::unsupported && device.kind() == DeviceKind::cuda) continue;
      ASSERT_TRUE(plan.has_value()) << name << ": " << plan.error().text;
      std::vector<std::unique_ptr<Buffer>> buffers;
      std::vector<Tensor> sources, targets;
      for (const TensorSpec& spec : (*plan)->inputs()) {
        buffers.push_back(std::move(*device.allocate(spec.bytes())));
        sources.push_back({spec, buffers.back()->region()});
        const auto filled = operation.fill(problem, spec, inputs);
        ASSERT_TRUE(filled.has_value()) << name << ": " << filled.error().text;
        ASSERT_TRUE(device.fill(sources.back(), *filled, *stream).has_value());
      }
      for (const TensorSpec& spec : (*plan)->outputs()) {
        buffers.push_back(std::move(*device.allocate(spec.bytes())));
        targets.push_back({spec, buffers.back()->region()});
        ASSERT_TRUE(device.poison(targets.back().region, Poison::nan_pattern, 1, *stream).has_value());
      }
      buffers.push_back(std::move(*device.allocate(std::max<std::size_t>(64, (*plan)->workspace_bytes()))));
      const Region workspace = buffers.back()->region();
      ASSERT_TRUE(device.poison(workspace, Poison::nan_pattern, 2, *stream).has_value());
      const auto op = (*plan)->bind(sources, targets, workspace, *stream);
      ASSERT_TRUE(op.has_value()) << name << ": " << op.error().text;
      ASSERT_TRUE((*op)->reset().has_value()) << name;
      const auto ran = (*op)->enqueue();
      if (!ran && ran.error().kind == Reason::Kind::unsupported) continue;
      ASSERT_TRUE(ran.has_value()) << name << ": " << ran.error().text;
      std::vector<std::vector<std::byte>> bytes;
      std::vector<Tensor> results;
      for (const Tensor& target : targets) {
        bytes.emplace_back(target.region.bytes);
        ASSERT_TRUE(device.copy_to_host(bytes.back().data(), target.region, *stream).has_value());
        results.push_back({target.spec, {bytes.back().data(), bytes.back().size()}});
      }
      ASSERT_TRUE(stream->wait().has_value()) << name;
      const auto found = (*reference)->check(offer.algorithm, results);
      ASSERT_TRUE(found.has_value()) << name << ": " << found.error().text;
      EXPECT_TRUE(found->passed) << name << ": " << found->reason;
      if (offer.algorithm.name == "exact_window" || offer.algorithm.name == "superaccumulator" ||
          offer.algorithm.name == "order_independent") {
        EXPECT_EQ(found->max_ulp, 0u) << name;
      }
      for (const auto& buffer : buffers) EXPECT_FALSE(buffer->damaged_guard().has_value()) << name;
    }
  }
}

/// All of an operation's providers.
inline void verify_all(const Operation& operation, const Problem& problem, Device& device, InputFill fill) {
  verify_providers(operation, problem, device, fill, [](std::string_view) { return true; });
}

}  // namespace detbench::testing
