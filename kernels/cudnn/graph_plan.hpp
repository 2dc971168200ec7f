// From a configuration to something that runs: cuDNN's execution plans, and the house's Plan around them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cudnn/configuration.hpp"
#include "kernels/op.hpp"

namespace detbench::cudnn {

struct ExecutionPlan {
  Descriptor descriptor;
  std::int64_t workspace_bytes = 0;
  /// The identity of a configuration: the graph, the engine, every knob, the GPU's profile, the library's version.
  std::string json;
};

/// Finalizes a plan for a checked configuration: compiles kernels where the engine does so at run time.
Result<ExecutionPlan> build_execution_plan(const Checked& configuration, const Target& target);
/// The plan that a JSON text of ExecutionPlan describes, for the same library and a GPU like the one it was made for.
Result<ExecutionPlan> replay_execution_plan(const std::string& json, const Target& target);

/// A graph with the tensors of a Plan. Tensors lie in the order of Plan::inputs() and outputs(); uids are the graph's.
struct GraphProblem {
  OperationGraph graph;
  std::vector<TensorSpec> inputs, outputs;
  std::vector<std::int64_t> input_uids, output_uids;
  /// Host scalars of the graph (tensors by value).
  std::vector<std::pair<std::int64_t, float>> scalars;
  /// The alignment that the graph's tensors declare, in the order inputs, outputs: bind() refuses pointers that break it.
  std::vector<std::int64_t> alignments;
};

/// The target that plans for this device are made for: its own properties; cached.
Result<Target> target_of(Device& device);

/// A Plan of one configuration on a GPU: enqueue() is cudnnBackendExecute on the stream's handle. Honours the device's
/// sm_count_target. Notes: engine, plan_json, numerical_notes, behaviour_notes, shared_memory_bytes where known; `notes`
/// are added.
Result<std::unique_ptr<Plan>> make_graph_plan(const GraphProblem& problem, const Configuration& configuration, Device& device,
                                              std::map<std::string, std::string> notes = {});

}  // namespace detbench::cudnn
