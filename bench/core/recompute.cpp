#include "bench/core/recompute.hpp"

#include <chrono>

namespace detbench {
namespace {

/// A machine that is short of memory kills the process that asks for too much, so the sizes are asked for ahead.
Status fits(const Operation& operation, const Problem& problem, const Algorithm& algorithm, Device& device) {
  const auto* provider = operation.find_provider(algorithm.provider);
  if (!provider) return unsupported("this build has no provider '" + algorithm.provider.substr(0, 60) + "' for " + problem.op);
  const auto plan = provider->plan(problem, algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  std::uint64_t needed = (*plan)->workspace_bytes();
  for (const auto* specs : {&(*plan)->inputs(), &(*plan)->outputs()})
    for (const auto& spec : *specs) needed += spec.bytes();
  const auto available = device.available_memory_bytes();
  if (!available || needed <= *available) return {};
  return failure("needs " + std::to_string(needed >> 20) + " MiB of memory, and " + std::to_string(*available >> 20) + " MiB are free",
                 Reason::Kind::out_of_memory);
}

}  // namespace

Result<Recomputed> recompute(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                             const Inputs& inputs, Device& device) {
  const auto start = std::chrono::steady_clock::now();
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());
  if (auto small = fits(operation, problem, algorithm, device); !small) return tl::unexpected(small.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  TensorStore store(device, **stream);
  auto op = PreparedOp::make(operation, problem, algorithm, inputs, device, **stream, store);
  if (!op) return tl::unexpected(op.error());
  // Before the run: a train step changes its inputs.
  const auto filled = (*op)->input_digest();
  if (!filled) return tl::unexpected(filled.error());
  if (auto done = (*op)->poison(Poison::nan_pattern, 0); !done) return tl::unexpected(done.error());
  const auto digest = (*op)->run();
  if (!digest) return tl::unexpected(digest.error());
  if (auto damage = store.damaged_guard()) return failure("writes outside its memory: " + *damage);
  return Recomputed{*filled, *digest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace detbench
