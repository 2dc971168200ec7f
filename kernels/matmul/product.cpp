#include "kernels/matmul/product.hpp"

#include "kernels/matmul/matmul_problem.hpp"
#include "kernels/matmul/problem.hpp"

namespace detbench {
namespace {

Product product_of(const MatmulProblem& p) {
  auto tensors = tensors_of(p);
  Product product;
  product.gemm = {p.mb, p.n, p.k, p.a_transposed, p.b_transposed, p.types.storage, p.types.storage, p.types.tf32};
  product.inputs = std::move(tensors.inputs), product.outputs = std::move(tensors.outputs);
  return product;
}

Product product_of(const DenseProblem& p) {
  auto tensors = tensors_of(p);
  Product product;
  product.inputs = std::move(tensors.inputs), product.outputs = std::move(tensors.outputs);
  switch (p.pass) {
    case DensePass::forward:  // weights lie as oc rows of ic: b transposed
      product.gemm = {p.mb, p.oc, p.ic, false, true, p.types.storage, DataType::f32, p.types.tf32};
      product.bias = 2;
      break;
    case DensePass::dgrad: product.gemm = {p.mb, p.ic, p.oc, false, false, p.types.storage, p.types.storage, p.types.tf32}; break;
    case DensePass::wgrad:  // diff_dst lies as mb rows of oc: a transposed
      product.gemm = {p.oc, p.ic, p.mb, true, false, p.types.storage, DataType::f32, p.types.tf32};
      product.a = 1, product.b = 0, product.column_sums = 1;
      break;
  }
  return product;
}

}  // namespace

Result<Product> parse_product(const Problem& problem) {
  if (problem.op == "matmul") {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    return product_of(*p);
  }
  const auto p = parse_dense(problem);
  if (!p) return tl::unexpected(p.error());
  return product_of(*p);
}

Status check_bound(const Product& product, std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  if (inputs.size() == product.inputs.size() && outputs.size() == product.outputs.size()) return {};
  return failure("a matrix product was bound to " + std::to_string(inputs.size()) + " inputs and " + std::to_string(outputs.size()) +
                 " outputs; it has " + std::to_string(product.inputs.size()) + " and " + std::to_string(product.outputs.size()));
}

std::vector<Offer> no_offers(std::string_view provider, Reason reason) {
  Offer offer;
  offer.algorithm.provider = provider;
  offer.algorithm.name = "any";
  offer.unsupported = std::move(reason);
  return {offer};
}

std::size_t declared_alignment(const DeviceConfiguration& configuration, const Product& product) {
  // Devices begin every tensor at a multiple of its element, whatever the configuration says (Device::allocate).
  std::size_t alignment = product.element_bytes();
  const std::size_t offset = (configuration.offset_bytes + alignment - 1) / alignment * alignment;
  while (alignment < 4096 && configuration.alignment_bytes % (alignment * 2) == 0 && offset % (alignment * 2) == 0) alignment *= 2;
  return alignment;
}

}  // namespace detbench
