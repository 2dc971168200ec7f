#include <cuda_runtime.h>

#include "kernels/cublas/environment.hpp"
#include "kernels/cublas/handle.hpp"
#include "kernels/cublas/lt_matmul.hpp"
#include "kernels/matmul/cuda_products.hpp"
#include "kernels/matmul/lt_arms.hpp"
#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

constexpr std::size_t workspace_alignment = 256;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + workspace_alignment - 1) / workspace_alignment * workspace_alignment; }

cublas::LtTarget target_of(const Product& product, bool bf16x9, const AlgorithmSearch& search, const DeviceConfiguration& configuration) {
  cublas::LtTarget target;
  target.compute = bf16x9 ? cublas::compute_bf16x9 : product.gemm.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  target.alignment_bytes = declared_alignment(configuration, product);
  target.workspace_cap_bytes = search.workspace_cap_bytes;
  target.sm_count_target = configuration.sm_count_target;
  target.emulated = bf16x9;
  return target;
}

class LtOp final : public Op {
 public:
  LtOp(std::shared_ptr<cublas::LtMatmul> matmul, const cublas::LtAlgorithm& algorithm, const Product& product, std::span<const Tensor> inputs,
       std::span<const Tensor> outputs, Region workspace, void* stream)
      : matmul_(std::move(matmul)), algorithm_(algorithm), product_(product), stream_(stream) {
    const auto input = [&](int place) { return inputs[static_cast<std::size_t>(place)].region.data; };
    a_ = input(product.a), b_ = input(product.b), out_ = outputs[0].region.data;
    if (product.bias >= 0) bias_ = static_cast<const float*>(input(product.bias));
    if (product.column_sums >= 0) summed_ = input(product.column_sums), sums_ = static_cast<float*>(outputs[1].region.data);
    auto address = reinterpret_cast<std::uintptr_t>(workspace.data);
    if (address != 0) address = aligned(address);
    workspace_ = reinterpret_cast<void*>(address);
    result_ = product.needs_scratch() ? static_cast<char*>(workspace_) + aligned(algorithm.workspace_bytes) : out_;
  }

  Status enqueue() override {
    const auto& g = product_.gemm;
    if (auto status = matmul_->multiply(algorithm_, a_, b_, result_, workspace_, stream_); !status) return status;
    if (bias_ != nullptr)
      if (auto status = products::enqueue_add_bias(static_cast<const float*>(result_), bias_, out_, product_.outputs[0].type, g.m, g.n, stream_); !status)
        return status;
    if (sums_ == nullptr) return {};
    return products::enqueue_column_sums(summed_, g.input, g.k, g.m, sums_, stream_);
  }

 private:
  std::shared_ptr<cublas::LtMatmul> matmul_;
  cublas::LtAlgorithm algorithm_;
  Product product_;
  void* stream_;
  const void *a_ = nullptr, *b_ = nullptr, *summed_ = nullptr;
  const float* bias_ = nullptr;
  void *out_ = nullptr, *workspace_ = nullptr, *result_ = nullptr;
  float* sums_ = nullptr;
};

class LtPlan final : public Plan {
 public:
  LtPlan(Product product, std::shared_ptr<cublas::LtMatmul> matmul, cublas::LtAlgorithm algorithm, int sm_count_target)
      : product_(std::move(product)), matmul_(std::move(matmul)), algorithm_(std::move(algorithm)), sm_count_target_(sm_count_target) {}
  const std::vector<TensorSpec>& inputs() const override { return product_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return product_.outputs; }
  std::size_t workspace_bytes() const override {
    const std::size_t parts = aligned(algorithm_.workspace_bytes) + aligned(product_.scratch_bytes());
    return parts == 0 ? 0 : parts + workspace_alignment;
  }
  std::size_t alignment_bytes() const override { return algorithm_.alignment_bytes; }
  int sm_count_target() const override { return sm_count_target_; }
  std::map<std::string, std::string> notes() const override {
    auto notes = algorithm_.notes;
    if (product_.bias >= 0) notes["bias"] = "added by our own kernel, after the product, in f32";
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto status = check_bound(product_, inputs, outputs); !status) return tl::unexpected(status.error());
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<LtOp>(matmul_, algorithm_, product_, inputs, outputs, workspace, stream.native());
  }

 private:
  Product product_;
  std::shared_ptr<cublas::LtMatmul> matmul_;
  cublas::LtAlgorithm algorithm_;
  int sm_count_target_;
};

class LtProducts final : public Provider {
 public:
  explicit LtProducts(const AlgorithmSearch& search) : search_(search) {}
  std::string_view name() const override { return "cublaslt"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    if (auto status = usable(device); !status) return no_offers(name(), status.error());
    const auto library = cublas::library();
    if (!library) return no_offers(name(), library.error());
    std::vector<Offer> offers;
    Reason reason{"cuBLASLt has no algorithm for these types", Reason::Kind::unsupported};
    for (const bool bf16x9 : {false, true}) {
      if (bf16x9 && (product->gemm.input != DataType::f32 || product->gemm.tf32)) continue;
      auto found = find(*product, bf16x9, device);
      if (found && !found->empty()) {
        for (const auto& candidate : *found) offers.push_back(offer(candidate, bf16x9, *product, **library));
        continue;
      }
      if (!found) reason = found.error();
      if (bf16x9) {
        auto row = no_offers(name(), {"no emulation of f32 by BF16x9 on this GPU: " + reason.text, Reason::Kind::unsupported});
        row[0].algorithm.options["compute"] = "bf16x9";
        offers.push_back(std::move(row[0]));
      } else if (!found && found.error().kind != Reason::Kind::unsupported) {
        return tl::unexpected(found.error());
      }
    }
    if (offers.empty()) return no_offers(name(), reason);
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto product = parse_product(problem);
    if (!product) return tl::unexpected(product.error());
    const auto arm = parse_lt_arm(algorithm);
    if (!arm) return tl::unexpected(arm.error());
    if (auto status = usable(device); !status) return tl::unexpected(status.error());
    const auto library = cublas::library();
    if (!library) return tl::unexpected(library.error());
    if (!arm->bytes.empty() && arm->bytes_version != (*library)->version)
      return unsupported("these bytes are an algorithm of cuBLASLt " + cublas::version_text(arm->bytes_version) + "; the one here is " +
                         cublas::version_text((*library)->version));
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    auto matmul = cublas::LtMatmul::make(product->gemm, target_of(*product, arm->bf16x9, search_, device.configuration()));
    if (!matmul) return tl::unexpected(matmul.error());
    auto prepared = (*matmul)->prepare(arm->configuration, arm->bytes);
    if (!prepared) return tl::unexpected(prepared.error());
    return std::make_unique<LtPlan>(std::move(*product), std::move(*matmul), std::move(*prepared), device.configuration().sm_count_target);
  }

 private:
  static Status usable(Device& device) {
    if (device.kind() != DeviceKind::cuda) return unsupported("cuBLASLt runs on a GPU");
    return check_cublas_environment();
  }

  Result<std::vector<cublas::LtCandidate>> find(const Product& product, bool bf16x9, Device& device) const {
    if (auto status = device.activate(); !status) return tl::unexpected(status.error());
    auto matmul = cublas::LtMatmul::make(product.gemm, target_of(product, bf16x9, search_, device.configuration()));
    if (!matmul) return tl::unexpected(matmul.error());
    return cublas::find_candidates(**matmul, search_);
  }

  static Offer offer(const cublas::LtCandidate& candidate, bool bf16x9, const Product& product, const cublas::Library& library) {
    Offer offer;
    offer.algorithm = to_algorithm({candidate.configuration, candidate.bytes, candidate.bytes.empty() ? 0 : library.version, bf16x9}, product.gemm,
                                   cublas::version_text(library.version));
    offer.unsupported = candidate.unsupported;
    offer.notes["tier"] = std::string(to_text(candidate.tier));
    if (!candidate.unsupported) offer.notes["workspace_bytes"] = std::to_string(candidate.workspace_bytes);
    return offer;
  }

  AlgorithmSearch search_;
};

}  // namespace

std::unique_ptr<Provider> make_cublaslt_products(const AlgorithmSearch& search) { return std::make_unique<LtProducts>(search); }

}  // namespace detbench
