#include "kernels/activation/activation.hpp"
#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/channelwise/channelwise.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "kernels/pooling/pooling.hpp"
#include "models/planner.hpp"

namespace detbench {

std::shared_ptr<const Registry> make_network_registry() {
  auto registry = std::make_shared<Registry>();
  for (auto direction : all_directions) registry->add(make_convolution_operation(direction));
  for (auto pass : all_dense_passes) registry->add(make_dense_operation(pass));
  for (auto& operation : make_batch_norm_operations()) registry->add(std::move(operation));
  for (auto& operation : make_channelwise_operations()) registry->add(std::move(operation));
  for (auto& operation : make_activation_operations()) registry->add(std::move(operation));
  for (auto& operation : make_pooling_operations()) registry->add(std::move(operation));
  registry->add(make_bias_gradient_operation());
  registry->add(make_softmax_cross_entropy_operation());
  return registry;
}

}  // namespace detbench
