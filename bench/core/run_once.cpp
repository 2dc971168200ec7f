// One prepared run for the scope `process`: no probing, no stress, just the bits that this process gives.
#include "bench/core/probe.hpp"

namespace detbench {

Result<OneRun> run_once(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                        const Inputs& inputs, Device& device, bool keep_outputs) {
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  TensorStore store(device, **stream);
  auto op = PreparedOp::make(operation, problem, algorithm, inputs, device, **stream, store);
  if (!op) return tl::unexpected(op.error());
  if (auto done = (*op)->poison(Poison::nan_pattern, 0); !done) return tl::unexpected(done.error());
  auto digest = (*op)->run();
  if (!digest) return tl::unexpected(digest.error());
  if (auto damage = store.damaged_guard()) return failure("writes outside its memory: " + *damage);
  OneRun run{*digest, {}, (*op)->notes()};
  if (keep_outputs) {
    auto outputs = (*op)->snapshot();
    if (!outputs) return tl::unexpected(outputs.error());
    run.outputs = std::move(*outputs);
  }
  return run;
}

}  // namespace detbench
