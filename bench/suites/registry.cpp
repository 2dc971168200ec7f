#include "bench/suites/registry.hpp"

#include <gnu/libc-version.h>

#include "bench/core/controls.hpp"
#include "bench/suites/train_step_suite.hpp"
#include "kernels/activation/activation.hpp"
#include "kernels/arithmetic_rate/fma_rate.hpp"
#include "kernels/bias_gradient/bias_gradient.hpp"
#include "kernels/channelwise/channelwise.hpp"
#include "kernels/convolution/operation.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/cudnn/version.hpp"
#include "kernels/device/onednn.hpp"
#include "kernels/dropout/dropout.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "kernels/loss/loss.hpp"
#include "kernels/loss/softmax.hpp"
#include "kernels/matmul/matmul_operation.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/memory_traffic/memory_traffic.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "kernels/optimizer/optimizer.hpp"
#include "kernels/pooling/pooling.hpp"
#include "kernels/reduction/sum.hpp"
#include "kernels/resize/resize.hpp"
#include "kernels/scatter_add/scatter_add.hpp"
#include "kernels/segmented_sum/segmented_sum.hpp"
#include "models/inference.hpp"
#include "models/planner.hpp"

namespace detbench {

Registry make_registry(const std::filesystem::path& selections, const AlgorithmSearch& search) {
  Registry registry;
  registry.add(make_control_operation());
  for (Direction direction : all_directions) registry.add(make_convolution_operation(direction, search));
  for (auto& operation : make_fused_convolution_operations(search)) registry.add(std::move(operation));
  for (DensePass pass : all_dense_passes) registry.add(make_dense_operation(pass, search));
  registry.add(make_matmul_operation(search));
  for (auto& operation : make_batch_norm_operations(search)) registry.add(std::move(operation));
  registry.add(make_bias_gradient_operation(search));
  for (auto& operation : make_pooling_operations(search)) registry.add(std::move(operation));
  for (auto& operation : make_channelwise_operations(search)) registry.add(std::move(operation));
  for (auto& operation : make_activation_operations(search)) registry.add(std::move(operation));
  for (auto& operation : make_softmax_operations()) registry.add(std::move(operation));
  registry.add(make_softmax_cross_entropy_operation());
  for (auto& operation : make_dropout_operations()) registry.add(std::move(operation));
  for (auto& operation : make_optimizer_operations()) registry.add(std::move(operation));
  registry.add(make_sum_operation());
  registry.add(make_dot_operation());
  registry.add(make_segmented_sum_operation());
  registry.add(make_scatter_add_operation());
  registry.add(make_index_add_operation());
  registry.add(make_weighted_histogram_operation());
  registry.add(make_resize_bilinear_operation());
  for (auto& operation : make_memory_traffic_operations()) registry.add(std::move(operation));
  registry.add(make_fma_rate_operation());
  const auto source = policies_from_files(selections);
  const auto kernels = make_network_registry();
  for (auto& operation : make_train_step_operations(source, kernels)) registry.add(std::move(operation));
  for (auto& operation : make_inference_operations(source, kernels)) registry.add(std::move(operation));
  return registry;
}

std::map<std::string, std::string> library_versions() {
  std::map<std::string, std::string> versions{{"glibc", gnu_get_libc_version()}, {"openmp", std::to_string(_OPENMP)}};
  versions["onednn"] = onednn_version().value_or("absent");
  versions["onetbb"] = tbb_version().value_or("absent");
  versions["cccl"] = cccl_version().value_or("absent");
  versions["cudnn"] = cudnn_version().value_or("absent");
  versions["cublas"] = cublas_version().value_or("absent");
  return versions;
}

}  // namespace detbench
