// A plan bound to memory for measuring: inputs filled, outputs and workspace poisonable, guards checked, bits digested.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// Buffers of one comparison: inputs filled once and shared by every arm that wants the same tensor in the same
/// layout, one workspace of the largest size, one output per layout (METHOD section 6). A probe uses a store of its own.
class TensorStore {
 public:
  TensorStore(Device& device, Stream& stream) : device_(device), stream_(stream) {}
  /// `occurrence` tells apart equal tensors of one plan, which must not share memory.
  Result<Tensor> input(const TensorSpec& spec, const FillSpec& fill, unsigned occurrence = 0);
  Result<Tensor> output(const TensorSpec& spec, unsigned occurrence = 0);
  /// `bytes` bytes, 256-byte aligned in every placement, the end guard right behind the last one when the largest size
  /// is asked for. A larger one than before is a new buffer and the old one stays, because ops are bound to it: ask for
  /// the largest size of a comparison first.
  Result<Region> workspace(std::size_t bytes);
  /// "output dst: byte 12 behind its end was overwritten", or nullopt when every guard is intact.
  std::optional<std::string> damaged_guard() const;
  std::size_t bytes() const;

 private:
  Result<Tensor> tensor(const std::string& key, const TensorSpec& spec, bool& fresh);

  Device& device_;
  Stream& stream_;
  std::map<std::string, std::unique_ptr<Buffer>> buffers_;  ///< by what they hold, in words, for damaged_guard()
  Region workspace_;
};

/// A case ready to run. Keep the device, stream and store alive as long as it.
class PreparedOp {
 public:
  static Result<std::unique_ptr<PreparedOp>> make(const Operation& operation, const Problem& problem,
                                                  const Algorithm& algorithm, const Inputs& inputs, Device& device,
                                                  Stream& stream, TensorStore& store);
  /// Overwrites outputs and workspace, so that unwritten outputs and uninitialised reads show.
  Status poison(Poison poison, std::uint64_t seed);
  /// Outputs alone: what is done before every run of an agreement probe, so that a run that writes nothing cannot
  /// show the bits of the run before it.
  Status poison_outputs(Poison poison, std::uint64_t seed);
  Status reset();
  Status enqueue();                ///< the timed part alone
  Status wait();
  Result<Digest> digest();         ///< of all outputs, in order
  /// reset, enqueue, wait, digest.
  Result<Digest> run();
  /// Outputs copied to host memory in canonical order, one per output tensor.
  Result<std::vector<std::vector<std::byte>>> snapshot();
  /// Outputs as host tensors for a Reference (copied when the device is not the host). Valid until the next call.
  Result<std::vector<Tensor>> host_outputs();
  Result<Digest> input_digest();

  const std::vector<Tensor>& inputs() const { return inputs_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }
  const Plan& plan() const { return *plan_; }
  Stream& stream() { return stream_; }
  std::size_t workspace_bytes() const { return workspace_.bytes; }
  double plan_s() const { return plan_s_; }
  const std::map<std::string, std::string>& notes() const { return notes_; }
  Op& op() { return *op_; }
  Device& device() { return device_; }

 private:
  PreparedOp(Device& device, Stream& stream) : device_(device), stream_(stream) {}
  Device& device_;
  Stream& stream_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Op> op_;
  std::vector<Tensor> inputs_, outputs_;
  Region workspace_;
  std::vector<std::vector<std::byte>> host_copies_;
  double plan_s_ = 0;
  std::map<std::string, std::string> notes_;
};

}  // namespace detbench
