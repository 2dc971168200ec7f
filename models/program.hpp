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
};

/// An op bound to its memory.
struct BoundOp {
  const OpInfo* info;
  std::unique_ptr<Op> op;
  std::vector<Tensor> outputs;
};

class Program {
 public:
  /// A tensor in the arena. Every value is written by exactly one op.
  int add_value(TensorSpec spec);
  /// A tensor that the caller provides to bind(), in the order of these calls.
  int add_external(TensorSpec spec);
  /// Specs of the plan may name other shapes than the values' (a flat view); bytes must be equal.
  Status add_op(OpInfo info, std::shared_ptr<Plan> plan, std::vector<int> inputs, std::vector<int> outputs);
  const TensorSpec& spec(int value) const { return values_[value].spec; }

  /// Places all values and workspaces; call once, after the last op.
  void place();
  std::size_t arena_bytes() const { return arena_bytes_; }
  /// Bytes if nothing were shared, for comparison.
  std::size_t unshared_bytes() const;
  const std::vector<TensorSpec>& externals() const { return externals_; }
  std::vector<OpInfo> infos() const;

  /// The program must outlive the ops. `arena` holds arena_bytes(), 64-byte aligned.
  Result<std::vector<BoundOp>> bind(std::span<const Tensor> externals, Region arena, Stream& stream) const;

 private:
  struct Value {
    TensorSpec spec;
    int external = -1;
    int first = -1, last = -1;  ///< ops between which it lives; both included
    std::size_t bytes = 0, offset = 0;
  };
  struct Node {
    OpInfo info;
    std::shared_ptr<Plan> plan;
    std::vector<int> inputs, outputs;
    int workspace = -1;  ///< value, alive during this op only
  };
  Region region_of(int value, std::span<const Tensor> externals, Region arena) const;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<TensorSpec> externals_;
  std::size_t arena_bytes_ = 0;
};

}  // namespace detbench
