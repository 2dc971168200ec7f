// What planning a forward pass, a backward pass and an update have in common: choosing algorithms, bringing tensors into
// the layout and type that an op wants, adding ops to the program.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/chooser.hpp"
#include "models/network.hpp"
#include "models/program.hpp"

namespace detbench {

/// One tensor of the network in every layout and type it exists in; the first is the one it was made in.
using Copies = std::vector<int>;

class GraphBuilder {
 public:
  /// `types` of products ("bf16_f32_strict", "f32_f32_tf32"); ops that multiply nothing get element_types().
  GraphBuilder(const Network& network, std::int64_t batch, std::string types, const Selection& selection, const Registry& registry, Device& device);

  const Network& network() const { return network_; }
  std::int64_t batch() const { return batch_; }
  Device& device() { return device_; }
  Program& program() { return program_; }
  const std::string& types() const { return types_; }
  /// "bf16_f32_strict", "f16_f32_strict" or "f32_f32_strict".
  const std::string& element_types() const { return element_types_; }
  /// Of activations between ops.
  DataType storage() const { return storage_; }
  int fallbacks() const { return fallbacks_; }

  /// An op of a layer whose rule decides the layout (products); without a rule the selection's activation layout does.
  Result<ChosenPlan> choose_product(const Layer& layer, const std::string& op);
  /// An op of a layer that follows the layout in which `value` lies, as its input number `input`.
  Result<ChosenPlan> choose_like(const Layer& layer, const std::string& op, int value, std::size_t input);
  /// An op that goes element by element over memory as it lies ("add", "swish_fwd").
  Result<ChosenPlan> choose_vector(const std::string& op, int value);
  /// An op whose problem names its own layout.
  Result<ChosenPlan> choose_plain(Problem problem);

  /// The first copy of a tensor as wanted; where there is none, a reorder or cast makes one, which later ops reuse.
  Result<int> in_layout(Copies& copies, const TensorSpec& wanted, const char* phase, const std::string& layer);
  Result<int> canonical(Copies& copies, DataType type, const char* phase, const std::string& layer);

  std::vector<int> add_outputs(const Plan& plan);
  Status add(const char* phase, const std::string& layer, const ChosenPlan& chosen, std::vector<int> inputs, std::vector<int> outputs, bool side = false);
  /// An op that nothing selects: ours, elementwise, the same bits everywhere.
  Status add_own(const char* phase, const std::string& layer, const char* op, Result<std::unique_ptr<Plan>> plan, std::vector<int> inputs, std::vector<int> outputs,
                 bool side = false);
  /// a + b over memory as it lies; both have the same layout.
  Result<int> add_sum(const char* phase, const std::string& layer, int a, int b);

  Reason in_layer(const Reason& reason, int layer) const;
  static TensorSpec vector_spec(std::string role, std::int64_t n, DataType type = DataType::f32) { return {std::move(role), type, {n}, canonical_layout({n})}; }
  TensorSpec tensor_spec(std::string role, const ImageSize& size, DataType type) const;

 private:
  std::string weight_gradient_types_on_gpu(const Layer& layer) const;
  Result<ChosenPlan> choose_with_types(Problem problem, const std::string& types, const std::function<Result<ChosenPlan>(Problem)>& choose);
  const Network& network_;
  const std::int64_t batch_;
  const std::string types_;
  std::string element_types_;
  DataType storage_ = DataType::f32;
  const Selection& selection_;
  const Registry& registry_;
  Device& device_;
  Chooser chooser_;
  Program program_;
  std::string activation_layout_;
  int fallbacks_ = 0;
};

}  // namespace detbench
