#include "bench/suites/step_timing.hpp"

#include <chrono>

#include "bench/core/prepared_op.hpp"

namespace detbench {
namespace {

/// What a limit of time leaves, so that there is a median.
constexpr std::size_t least_steps = 5;

}  // namespace

Result<StepTiming> time_train_step(const Registry& registry, const Problem& problem, const Algorithm& algorithm, const Inputs& inputs, Device& device,
                                   const StepTimingSettings& settings) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  const auto* operation = registry.find(problem.op);
  if (operation == nullptr) return invalid_input("'" + problem.op + "' is no op");
  if (auto good = operation->check(problem); !good) return tl::unexpected(good.error());
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  TensorStore store(device, **stream);
  const auto begun = Clock::now();
  auto prepared = PreparedOp::make(*operation, problem, algorithm, inputs, device, **stream, store);
  if (!prepared) return tl::unexpected(prepared.error());
  auto* step = dynamic_cast<TrainStepOp*>(&(*prepared)->op());
  if (step == nullptr) return unsupported(problem.op + " is no train step, which alone is timed step by step");

  StepTiming timing;
  timing.prepare_s = seconds(Clock::now() - begun);
  timing.digest_steps = step->steps();
  timing.memory_bytes = step->memory_bytes();
  timing.notes = (*prepared)->notes();
  auto digest = (*prepared)->run();
  if (!digest) return tl::unexpected(digest.error());
  timing.digest = to_hex(*digest);

  // From the beginning again: after many steps on one batch values drift, and denormals change speed.
  if (auto s = (*prepared)->reset(); !s) return tl::unexpected(s.error());
  const auto timed_steps = [&](std::uint32_t count) -> Result<double> {
    const auto before = Clock::now();
    for (std::uint32_t i = 0; i < count; ++i)
      if (auto s = step->step(); !s) return tl::unexpected(s.error());
    if (auto s = (*prepared)->wait(); !s) return tl::unexpected(s.error());
    return seconds(Clock::now() - before) / count;
  };
  for (std::uint32_t i = 0; i < settings.warm_up; ++i)
    if (auto warm = timed_steps(1); !warm) return tl::unexpected(warm.error());
  const auto timing_begun = Clock::now();
  while (timing.step_s.size() < settings.steps) {
    auto elapsed = timed_steps(settings.group);
    if (!elapsed) return tl::unexpected(elapsed.error());
    timing.step_s.push_back(*elapsed);
    if (settings.seconds > 0 && timing.step_s.size() >= least_steps && seconds(Clock::now() - timing_begun) > settings.seconds) break;
  }
  if (settings.profiled > 0) {
    auto profile = profile_step(*step, settings.profiled);
    if (!profile) return tl::unexpected(profile.error());
    timing.ops = std::move(profile->ops);
  }
  return timing;
}

}  // namespace detbench
