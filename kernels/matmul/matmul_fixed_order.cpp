// Matrix products whose bits depend on the inputs alone, on a CPU. Two orders:
//   direct                  c[i,j]: from +0, for x ascending: fma(a[i,x], b[x,j], acc).
//   split_k_fixed[CHUNK=s]  the same chain inside each part of s neighbouring x; then the parts' f32 results are added in
//                           ascending order: ((part 0 + part 1) + part 2) + ... The length of a part is a number of the
//                           name, not of the machine, so a longer k adds parts and moves none.
// f16 and bf16 storage: inputs are widened to f32, results rounded to nearest even once, at the end.
#include "kernels/matmul/matmul_operation.hpp"

#include <algorithm>

#include "kernels/device/ordered_products.hpp"
#include "kernels/matmul/product_providers.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

using ordered::panel_columns;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
std::size_t f32_bytes(const TensorSpec& spec) { return aligned(static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float)); }
bool is_narrow(const MatmulProblem& p) { return p.types.storage != DataType::f32; }

float widened(DataType type, const void* data, std::int64_t at) {
  if (type == DataType::f32) return static_cast<const float*>(data)[at];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(data)[at];
  return type == DataType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}

/// The kernels read both matrices row by row with k rows: a must lie transposed and b must not. Others are copied.
bool copies_a(const MatmulProblem& p) { return is_narrow(p) || !p.a_transposed; }
bool copies_b(const MatmulProblem& p) { return is_narrow(p) || p.b_transposed; }

/// target[x][i] = the element of logical row x and column i of a matrix of k rows; it lies so, or transposed.
void copy_rows(DataType type, const void* source, bool lies_transposed, std::int64_t rows, std::int64_t columns, float* target) {
#pragma omp parallel for schedule(static)
  for (std::int64_t x = 0; x < rows; ++x)
    for (std::int64_t i = 0; i < columns; ++i) target[x * columns + i] = widened(type, source, lies_transposed ? i * rows + x : x * columns + i);
}

/// out (down, across) from rows (k, down) and columns (k, across). Each output's sum is walked by one thread.
void multiply(const ordered::Kernels& kernels, const float* rows, std::int64_t down, const float* columns, std::int64_t across, std::int64_t k,
              std::int64_t chunk, float* out) {
  const std::int64_t panels = (across + panel_columns - 1) / panel_columns, tiles = (down + kernels.tile_rows - 1) / kernels.tile_rows;
#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      const std::int64_t i = tile * kernels.tile_rows, j = panel * panel_columns;
      const int high = static_cast<int>(std::min<std::int64_t>(kernels.tile_rows, down - i)), wide = static_cast<int>(std::min(panel_columns, across - j));
      for (std::int64_t first = 0; first < k; first += chunk) {
        const std::int64_t terms = std::min(chunk, k - first);
        // One image of one row: its pixels are the terms.
        const ordered::PixelSums sums{rows + first * down, columns + first * across, 1, terms, down, 1, terms, across, 1, 1, 0, 0, 1, 1};
        if (first == 0) {
          kernels.outer(high, wide, sums, false, 0, 1, 0, 0, i, j, out + i * across + j, across);
          continue;
        }
        float part[ordered::most_tile_rows * panel_columns];
        kernels.outer(high, wide, sums, false, 0, 1, 0, 0, i, j, part, panel_columns);
        for (int r = 0; r < high; ++r)
          for (int c = 0; c < wide; ++c) out[(i + r) * across + j + c] += part[r * panel_columns + c];
      }
    }
}

class FixedOrderOp final : public Op {
 public:
  FixedOrderOp(const MatmulProblem& problem, std::int64_t chunk, const ordered::Kernels& kernels, std::span<const Tensor> inputs, const Tensor& c,
               Region workspace)
      : p_(problem), chunk_(chunk), kernels_(kernels), a_(inputs[0]), b_(inputs[1]), c_(c) {
    auto* memory = static_cast<std::byte*>(workspace.data);
    const auto place = [&](const Tensor& tensor, bool copied) {
      if (!copied) return static_cast<float*>(tensor.region.data);
      auto* at = reinterpret_cast<float*>(memory);
      memory += f32_bytes(tensor.spec);
      return at;
    };
    rows_ = place(a_, copies_a(p_)), columns_ = place(b_, copies_b(p_)), sums_ = place(c_, is_narrow(p_));
  }

  Status enqueue() override {
    const auto type = p_.types.storage;
    if (copies_a(p_)) copy_rows(type, a_.region.data, !p_.a_transposed, p_.k, p_.mb, rows_);
    if (copies_b(p_)) copy_rows(type, b_.region.data, p_.b_transposed, p_.k, p_.n, columns_);
    multiply(kernels_, rows_, p_.mb, columns_, p_.n, p_.k, chunk_, sums_);
    if (!is_narrow(p_)) return {};
    auto* target = static_cast<std::uint16_t*>(c_.region.data);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < p_.mb * p_.n; ++i) target[i] = type == DataType::f16 ? f16_from_float(sums_[i]) : bf16_from_float(sums_[i]);
    return {};
  }

 private:
  MatmulProblem p_;
  std::int64_t chunk_;
  const ordered::Kernels& kernels_;
  Tensor a_, b_, c_;
  float *rows_, *columns_, *sums_;
};

class FixedOrderPlan final : public Plan {
 public:
  FixedOrderPlan(const MatmulProblem& problem, std::int64_t chunk, const ordered::Kernels& kernels)
      : problem_(problem), chunk_(chunk), kernels_(kernels), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override {
    return (copies_a(problem_) ? f32_bytes(tensors_.inputs[0]) : 0) + (copies_b(problem_) ? f32_bytes(tensors_.inputs[1]) : 0) +
           (is_narrow(problem_) ? f32_bytes(tensors_.outputs[0]) : 0);
  }
  std::map<std::string, std::string> notes() const override { return {{"instruction_set", std::string(to_text(kernels_.set))}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream&) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a matrix product was bound to the wrong number of tensors");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<FixedOrderOp>(problem_, chunk_, kernels_, inputs, outputs[0], workspace);
  }

 private:
  MatmulProblem problem_;
  std::int64_t chunk_;
  const ordered::Kernels& kernels_;
  MatmulTensors tensors_;
};

class FixedOrderMatmul final : public Provider {
 public:
  std::string_view name() const override { return "fixed_order"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return no_offers(name(), Reason{no_tf32_order, Reason::Kind::unsupported});
    std::vector<Offer> offers{offer("direct")};
    // On a GPU the split orders are the provider cuda's.
    if (device.kind() == DeviceKind::cuda) {
      if (auto status = can_run_fixed_products_on_gpu(); !status) return no_offers(name(), status.error());
      return offers;
    }
    for (const auto chunk : split_chunks)
      if (p->k > chunk) offers.push_back(offer(split_name("split_k_fixed", chunk)));
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return unsupported(no_tf32_order);
    if (device.kind() == DeviceKind::cuda) return plan_fixed_product_on_gpu(problem, algorithm);
    for (const auto& [key, value] : algorithm.options)
      if (key != "isa") return invalid_input("option " + key + "=" + value + " is none of fixed_order's: isa=avx2 is");
    std::int64_t chunk = p->k;
    if (algorithm.name != "direct") {
      const auto named = parse_split_name("split_k_fixed", algorithm.name);
      if (!named) return tl::unexpected(named.error());
      chunk = *named;
    }
    const auto kernels = ordered::choose_kernels(algorithm.options);
    if (!kernels) return tl::unexpected(kernels.error());
    return std::make_unique<FixedOrderPlan>(*p, chunk, **kernels);
  }

 private:
  static Offer offer(std::string name) {
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = std::move(name);
    offer.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
    return offer;
  }
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_matmul() { return std::make_unique<FixedOrderMatmul>(); }

}  // namespace detbench
