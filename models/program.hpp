// A planned network: ops in order, the values between them, and where each value lies. Memory is planned ahead: values
// whose lives do not meet share bytes of one arena, so a step allocates nothing and its tensors stay where they are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// What the planner decided for one op, and what the observer is told.
struct OpInfo {
  std::string phase;      ///< "forward", "loss", "backward", "optimizer"
  std::string layer;      ///< Keras's name
  std::string op;         ///< "conv_fwd", "reorder", ...
  std::string problem;    ///< problem id; empty for reorders and other ops that nothing selects
  std::string algorithm;  ///< algorithm id; reorders: "reorder:nhwc-nchw16c"
  bool fallback = false;  ///< the selection had no rule: the library's heuristic chose
  /// Nobody waits for its outputs before the optimizer (gradients of weights): with several streams it goes on the second.
  bool side = false;
};

/// An op bound to its memory.
struct BoundOp {
  const OpInfo* info;
  std::unique_ptr<Op> op;
  std::vector<Tensor> outputs;
  int stream = 0;          ///< which of the streams that were given to bind()
  /// Ops of other streams, by index, that have to be done before this one starts: those that wrote what it reads or
  /// writes, or read what it writes. At most one per stream; what came earlier there is done too.
  std::vector<int> waits_for;
};

class Program {
 public:
  /// A tensor in the arena. Every value is written by exactly one op.
  int add_value(TensorSpec spec);
  /// A tensor that the caller provides to bind(), in the order of these calls.
  int add_external(TensorSpec spec);
  /// The same memory under another shape of equal bytes (a flattened image).
  int add_view(int value, TensorSpec spec);
  /// Specs of the plan may name other shapes than the values' (a flat view); bytes must be equal.
  Status add_op(OpInfo info, std::shared_ptr<Plan> plan, std::vector<int> inputs, std::vector<int> outputs);
  const TensorSpec& spec(int value) const { return values_[value].spec; }

  /// Places all values and workspaces; call once, after the last op. With `streams` > 1 ops that may overlap in time never
  /// share memory: what a side op touches lives until the end.
  void place(int streams = 1);
  std::size_t arena_bytes() const { return arena_bytes_; }
  /// Bytes if nothing were shared, for comparison.
  std::size_t unshared_bytes() const;
  const std::vector<TensorSpec>& externals() const { return externals_; }
  std::vector<OpInfo> infos() const;

  /// The program must outlive the ops. `arena` holds arena_bytes(), 64-byte aligned. Side ops go on the last stream.
  Result<std::vector<BoundOp>> bind(std::span<const Tensor> externals, Region arena, std::span<Stream* const> streams) const;

 private:
  struct Value {
    TensorSpec spec;
    int external = -1;
    int first = -1, last = -1;  ///< ops between which it lives; both included
    std::size_t bytes = 0, offset = 0;
    int base = -1;              ///< views: the value whose memory this is
  };
  struct Node {
    OpInfo info;
    std::shared_ptr<Plan> plan;
    std::vector<int> inputs, outputs;
    int workspace = -1;  ///< value, alive during this op only
  };
  int base_of(int value) const { return values_[value].base < 0 ? value : values_[value].base; }
  Region region_of(int value, std::span<const Tensor> externals, Region arena) const;
  void find_waits(std::vector<BoundOp>& bound, std::span<const Tensor> externals, Region arena) const;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<TensorSpec> externals_;
  std::size_t arena_bytes_ = 0;
};

}  // namespace detbench
