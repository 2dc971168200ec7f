// Scope `capture`: what one enqueue() puts on a stream, recorded once and replayed as one (a CUDA graph).
#pragma once

#include <memory>

#include "bench/core/agreement.hpp"
#include "bench/core/prepared_op.hpp"

namespace detbench {

/// Success when streams of this device capture at all; unsupported with the reason when they do not.
Status can_capture(Stream& stream);

/// Captures one enqueue(). The op is run once before: what a library sets up at its first call (modules, tables) is not
/// part of its answer. A failed capture leaves the stream usable.
Result<std::unique_ptr<CapturedWork>> capture_enqueue(PreparedOp& op);

/// Runs the captured work in place of enqueue(); reset() stays outside.
class Replay final : public Observed {
 public:
  Replay(PreparedOp& op, CapturedWork& work) : op_(op), work_(work) {}
  Status poison_outputs() override { return op_.poison_outputs(Poison::nan_pattern, 0); }
  Result<Digest> run() override;
  Result<std::vector<std::vector<std::byte>>> snapshot() override { return op_.snapshot(); }

 private:
  PreparedOp& op_;
  CapturedWork& work_;
};

}  // namespace detbench
