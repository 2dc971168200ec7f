#include "kernels/contention.hpp"
#include "kernels/matmul/cuda_products.hpp"
#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

enum class Way { direct, split_atomic, split_fixed };

struct Order {
  Way way = Way::direct;
  std::int64_t chunk = 1;
};

class CudaProductOp final : public Op {
 public:
  CudaProductOp(const Product& product, Order order, std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, void* stream)
      : way_(order.way) {
    const auto data = [](const Tensor& tensor) { return tensor.region.data; };
    call_.gemm = product.gemm;
    call_.a = data(inputs[static_cast<std::size_t>(product.a)]), call_.b = data(inputs[static_cast<std::size_t>(product.b)]);
    if (product.bias >= 0) call_.bias = static_cast<const float*>(data(inputs[static_cast<std::size_t>(product.bias)]));
    call_.out = data(outputs[0]), call_.output = product.outputs[0].type;
    call_.chunk = order.chunk, call_.workspace = workspace.data, call_.stream = stream;
    if (product.column_sums >= 0) summed_ = data(inputs[static_cast<std::size_t>(product.column_sums)]), sums_ = static_cast<float*>(data(outputs[1]));
  }

  Status enqueue() override {
    Status status;
    switch (way_) {
      case Way::direct: status = products::enqueue_direct(call_); break;
      case Way::split_atomic: status = products::enqueue_split_atomic(call_); break;
      case Way::split_fixed: status = products::enqueue_split_fixed(call_); break;
    }
    if (!status || sums_ == nullptr) return status;
    return products::enqueue_column_sums(summed_, call_.gemm.input, call_.gemm.k, call_.gemm.m, sums_, call_.stream);
  }

 private:
  Way way_;
  products::Call call_;
  const void* summed_ = nullptr;
  float* sums_ = nullptr;
};

class CudaProductPlan final : public Plan {
 public:
  CudaProductPlan(Product product, Order order) : product_(std::move(product)), order_(order) {}
  const std::vector<TensorSpec>& inputs() const override { return product_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return product_.outputs; }
  std::size_t workspace_bytes() const override {
    switch (order_.way) {
      case Way::split_atomic: return products::split_atomic_bytes(product_.gemm, product_.outputs[0].type, product_.bias >= 0);
      case Way::split_fixed: return products::split_fixed_bytes(product_.gemm, order_.chunk);
      default: return 0;
    }
  }
  std::size_t alignment_bytes() const override { return product_.element_bytes(); }
  std::map<std::string, std::string> notes() const override {
    if (order_.way == Way::direct) return {};
    const std::int64_t parts = products::parts_of(product_.gemm.k, order_.chunk);
    std::map<std::string, std::string> notes{{"parts", std::to_string(parts)}};
    if (order_.way == Way::split_atomic) notes.merge(contention_notes(parts));
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto status = check_bound(product_, inputs, outputs); !status) return tl::unexpected(status.error());
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<CudaProductOp>(product_, order_, inputs, outputs, workspace, stream.native());
  }

 private:
  Product product_;
  Order order_;
};

/// One row for each length of a part that k is longer than.
std::vector<Offer> split_fixed_offers(const Product& product, const AlgorithmSearch& search) {
  std::vector<Offer> offers;
  for (const auto chunk : split_chunks) {
    if (product.gemm.k <= chunk) continue;
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = split_name("split_k_fixed", chunk);
    offer.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction: parts of a fixed length, added in ascending order",
                             {all_scopes.begin(), all_scopes.end()}};
    // A weight gradient is a sum over the batch: another batch is another result.
    if (product.column_sums >= 0) std::erase(offer.algorithm.claim.coverage, Scope::batch);
    if (const auto bytes = products::split_fixed_bytes(product.gemm, chunk); bytes > search.workspace_cap_bytes)
      offer.unsupported = Reason{"it wants " + std::to_string(bytes) + " bytes of workspace, the cap is " + std::to_string(search.workspace_cap_bytes),
                                 Reason::Kind::unsupported};
    offers.push_back(std::move(offer));
  }
  return offers;
}

class CudaProducts final : public Provider {
 public:
  std::string_view name() const override { return "cuda"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    if (auto status = supported(*product, device); !status) return no_offers(name(), status.error());
    std::vector<Offer> offers;
    for (const auto chunk : split_chunks) {
      if (product->gemm.k <= chunk) continue;
      Offer offer;
      offer.algorithm.provider = "cuda";
      offer.algorithm.name = split_name("split_k_atomic", chunk);
      offers.push_back(std::move(offer));
    }
    if (offers.empty())
      return no_offers(name(), {"its " + std::to_string(product->gemm.k) + " products fit one part of 256: nothing to split", Reason::Kind::unsupported});
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    if (auto status = supported(*product, device); !status) return tl::unexpected(status.error());
    if (!algorithm.options.empty()) return invalid_input("cuda's matrix products have no options, not '" + algorithm_id(algorithm) + "'");
    const auto chunk = parse_split_name("split_k_atomic", algorithm.name);
    if (!chunk) return tl::unexpected(chunk.error());
    return std::make_unique<CudaProductPlan>(std::move(*product), Order{Way::split_atomic, *chunk});
  }

 private:
  static Status supported(const Product& product, Device& device) {
    if (device.kind() != DeviceKind::cuda) return unsupported("these kernels run on a GPU");
    if (product.gemm.tf32) return unsupported(no_tf32_order);
    return {};
  }
};

}  // namespace

std::unique_ptr<Provider> make_cuda_products() { return std::make_unique<CudaProducts>(); }

Result<std::vector<Offer>> fixed_offers_on_gpu(const Problem& problem, const AlgorithmSearch& search) {
  const auto product = parse_product(problem);
  if (!product) return tl::unexpected(product.error());
  Offer direct;
  direct.algorithm.provider = "fixed_order";
  direct.algorithm.name = "direct";
  direct.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
  // A weight gradient is a sum over the batch: another batch is another result.
  if (product->column_sums >= 0) std::erase(direct.algorithm.claim.coverage, Scope::batch);
  std::vector<Offer> offers{std::move(direct)};
  for (auto& offer : split_fixed_offers(*product, search)) offers.push_back(std::move(offer));
  return offers;
}

Result<std::unique_ptr<Plan>> plan_fixed_product_on_gpu(const Problem& problem, const Algorithm& algorithm) {
  auto product = parse_product(problem);
  if (!product) return tl::unexpected(product.error());
  if (!algorithm.options.empty())
    return invalid_input("fixed_order answers " + problem.op + " on a GPU without options, not by '" + algorithm_id(algorithm) + "'");
  if (algorithm.name == "direct") return std::make_unique<CudaProductPlan>(std::move(*product), Order{Way::direct, 1});
  const auto chunk = parse_split_name("split_k_fixed", algorithm.name);
  if (!chunk) return tl::unexpected(chunk.error());
  return std::make_unique<CudaProductPlan>(std::move(*product), Order{Way::split_fixed, *chunk});
}

}  // namespace detbench
