// Dense layers whose bits depend on the inputs alone. Every result is a chain in f32 on logical indices, from +0:
//   forward  dst[n,k]:          for c: fma(weights[k,c], src[n,c], acc); then acc + bias[k], rounded once more.
//   dgrad    diff_src[n,c]:     for k: fma(diff_dst[n,k], weights[k,c], acc).
//   wgrad    diff_weights[k,c]: for n: fma(diff_dst[n,k], src[n,c], acc); diff_bias[k]: for n: acc + diff_dst[n,k].
// Weights are the large tensor here, so they are read once, as they lie; the activations are what is transposed.
// f16 and bf16 storage: inputs are widened to f32, activations' results rounded to nearest even once, at the end.
// On a GPU the same chains are walked by the kernels of cuda_products.cu. split_k_fixed is the plain product's
// (matmul_fixed_order.cpp); the bias is added to the joined parts.
#include <algorithm>

#include "kernels/device/ordered_products.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/matmul/product_providers.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

using ordered::panel_columns;

constexpr std::int64_t panels_of(std::int64_t columns) { return (columns + panel_columns - 1) / panel_columns; }
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

bool is_narrow(const TensorSpec& spec) { return spec.type != DataType::f32; }
std::size_t widened_bytes(const TensorSpec& spec) {
  return is_narrow(spec) ? aligned(static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float)) : 0;
}

/// Transposed activations: forward panels [n / 32][c][32] of src, dgrad [k][n] of diff_dst; wgrad none.
std::int64_t transposed_elements(const DenseProblem& p) {
  switch (p.pass) {
    case DensePass::forward: return panels_of(p.mb) * p.ic * panel_columns;
    case DensePass::dgrad: return p.oc * p.mb;
    default: return 0;
  }
}

void forward(const DenseProblem& p, const ordered::Kernels& kernels, const float* src, const float* weights,
             const float* bias, float* dst, float* panels) {
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < p.ic; ++c)
    for (std::int64_t n = 0; n < panels_of(p.mb) * panel_columns; ++n)
      panels[(n / panel_columns * p.ic + c) * panel_columns + n % panel_columns] = n < p.mb ? src[n * p.ic + c] : 0.0f;
  const std::int64_t tiles = (p.oc + kernels.tile_rows - 1) / kernels.tile_rows;
#pragma omp parallel for schedule(static)
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t k = tile * kernels.tile_rows;
    const int rows = static_cast<int>(std::min<std::int64_t>(kernels.tile_rows, p.oc - k));
    const float* row_of[ordered::most_tile_rows];
    float block[ordered::most_tile_rows * panel_columns];
    float* targets[ordered::most_tile_rows];
    for (int m = 0; m < rows; ++m) row_of[m] = weights + (k + m) * p.ic, targets[m] = block + m * panel_columns;
    for (std::int64_t first = 0; first < p.mb; first += panel_columns) {
      const float* panel = panels + first * p.ic;
      const std::int64_t columns = std::min(panel_columns, p.mb - first);
      kernels.tile(rows, static_cast<int>(columns), 1, p.ic, row_of, &panel, targets);
      for (std::int64_t j = 0; j < columns; ++j)
        for (int m = 0; m < rows; ++m) dst[(first + j) * p.oc + k + m] = block[m * panel_columns + j] + bias[k + m];
    }
  }
}

/// out[i][j] = sum over x of rows[x][i] * columns[x][j], x ascending; rows are `down` wide, columns `across`.
void outer(const ordered::Kernels& kernels, std::int64_t terms, const float* rows, std::int64_t down, const float* columns,
           std::int64_t across, float* out) {
  // One image of one row: its pixels are the terms.
  const ordered::PixelSums sums{rows, columns, 1, terms, down, 1, terms, across, 1, 1, 0, 0, 1, 1};
  const std::int64_t panels = panels_of(across), tiles = (down + kernels.tile_rows - 1) / kernels.tile_rows;
#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      const std::int64_t i = tile * kernels.tile_rows, j = panel * panel_columns;
      kernels.outer(static_cast<int>(std::min<std::int64_t>(kernels.tile_rows, down - i)),
                    static_cast<int>(std::min(panel_columns, across - j)), sums, false, 0, 1, 0, 0, i, j, out + i * across + j,
                    across);
    }
}

void dgrad(const DenseProblem& p, const ordered::Kernels& kernels, const float* diff_dst, const float* weights,
           float* diff_src, float* transposed) {
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < p.oc; ++k)
    for (std::int64_t n = 0; n < p.mb; ++n) transposed[k * p.mb + n] = diff_dst[n * p.oc + k];
  outer(kernels, p.oc, transposed, p.mb, weights, p.ic, diff_src);
}

void wgrad(const DenseProblem& p, const ordered::Kernels& kernels, const float* src, const float* diff_dst,
           float* diff_weights, float* diff_bias) {
  outer(kernels, p.mb, diff_dst, p.oc, src, p.ic, diff_weights);
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < p.oc; ++k) {
    float sum = 0;
    for (std::int64_t n = 0; n < p.mb; ++n) sum += diff_dst[n * p.oc + k];
    diff_bias[k] = sum;
  }
}

class FixedOrderOp final : public Op {
 public:
  FixedOrderOp(const DenseProblem& problem, const ordered::Kernels& kernels, std::span<const Tensor> inputs,
               std::span<const Tensor> outputs, Region workspace)
      : p_(problem), kernels_(kernels) {
    auto* memory = static_cast<std::byte*>(workspace.data);
    for (auto [tensors, slots] : {std::pair{inputs, &inputs_}, {outputs, &outputs_}})
      for (const auto& tensor : tensors) {
        Slot slot{tensor, static_cast<float*>(tensor.region.data)};
        if (is_narrow(tensor.spec)) slot.values = reinterpret_cast<float*>(memory);
        memory += widened_bytes(tensor.spec);
        slots->push_back(std::move(slot));
      }
    scratch_ = reinterpret_cast<float*>(memory);
  }

  Status enqueue() override {
    for (auto& slot : inputs_) {
      if (!is_narrow(slot.tensor.spec)) continue;
      const auto* source = static_cast<const std::uint16_t*>(slot.tensor.region.data);
      const auto elements = element_count(slot.tensor.spec.shape);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) slot.values[i] = is_f16(slot) ? float_from_f16(source[i]) : float_from_bf16(source[i]);
    }
    const auto in = [&](int i) { return inputs_[i].values; };
    switch (p_.pass) {
      case DensePass::forward: forward(p_, kernels_, in(0), in(1), in(2), outputs_[0].values, scratch_); break;
      case DensePass::dgrad: dgrad(p_, kernels_, in(0), in(1), outputs_[0].values, scratch_); break;
      case DensePass::wgrad: wgrad(p_, kernels_, in(0), in(1), outputs_[0].values, outputs_[1].values); break;
    }
    for (auto& slot : outputs_) {
      if (!is_narrow(slot.tensor.spec)) continue;
      auto* target = static_cast<std::uint16_t*>(slot.tensor.region.data);
      const auto elements = element_count(slot.tensor.spec.shape);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements; ++i) target[i] = is_f16(slot) ? f16_from_float(slot.values[i]) : bf16_from_float(slot.values[i]);
    }
    return {};
  }

 private:
  struct Slot {
    Tensor tensor;
    float* values;  ///< the tensor itself, or its widened copy
  };
  static bool is_f16(const Slot& slot) { return slot.tensor.spec.type == DataType::f16; }
  DenseProblem p_;
  const ordered::Kernels& kernels_;
  std::vector<Slot> inputs_, outputs_;
  float* scratch_;
};

class FixedOrderPlan final : public Plan {
 public:
  FixedOrderPlan(const DenseProblem& problem, const ordered::Kernels& kernels)
      : problem_(problem), kernels_(kernels), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override {
    std::size_t bytes = static_cast<std::size_t>(transposed_elements(problem_)) * sizeof(float);
    for (const auto* specs : {&tensors_.inputs, &tensors_.outputs})
      for (const auto& spec : *specs) bytes += widened_bytes(spec);
    return bytes;
  }
  std::map<std::string, std::string> notes() const override { return {{"instruction_set", std::string(to_text(kernels_.set))}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream&) override {
    if (inputs.size() != tensors_.inputs.size() || outputs.size() != tensors_.outputs.size())
      return failure("a dense layer was bound to the wrong number of tensors");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " +
                     std::to_string(workspace_bytes()));
    return std::make_unique<FixedOrderOp>(problem_, kernels_, inputs, outputs, workspace);
  }

 private:
  DenseProblem problem_;
  const ordered::Kernels& kernels_;
  DenseTensors tensors_;
};

class FixedOrderDense final : public Provider {
 public:
  explicit FixedOrderDense(const AlgorithmSearch& search) : search_(search) {}
  std::string_view name() const override { return "fixed_order"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return no_offers(name(), Reason{no_tf32_order, Reason::Kind::unsupported});
    if (device.kind() == DeviceKind::cuda) return fixed_offers_on_gpu(problem, search_);
    std::vector<Offer> offers{offer(*p, "direct")};
    for (const auto chunk : split_chunks)
      if (parse_product(problem)->gemm.k > chunk) offers.push_back(offer(*p, split_name("split_k_fixed", chunk)));
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_dense(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return unsupported(no_tf32_order);
    if (device.kind() == DeviceKind::cuda) return plan_fixed_product_on_gpu(problem, algorithm);
    for (const auto& [key, value] : algorithm.options)
      if (key != "isa") return invalid_input("option " + key + "=" + value + " is none of fixed_order's: isa=avx2 is");
    if (algorithm.name != "direct") return plan_split_product_on_cpu(problem, algorithm);
    const auto kernels = ordered::choose_kernels(algorithm.options);
    if (!kernels) return tl::unexpected(kernels.error());
    return std::make_unique<FixedOrderPlan>(*p, **kernels);
  }

 private:
  static Offer offer(const DenseProblem& p, std::string name) {
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = std::move(name);
    offer.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
    // A weight gradient is a sum over the batch: another batch is another result.
    if (p.pass == DensePass::wgrad) std::erase(offer.algorithm.claim.coverage, Scope::batch);
    return offer;
  }
  AlgorithmSearch search_;
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_dense(const AlgorithmSearch& search) { return std::make_unique<FixedOrderDense>(search); }

}  // namespace detbench
