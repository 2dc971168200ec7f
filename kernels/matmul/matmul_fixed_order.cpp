// Matrix products whose bits depend on the inputs alone, on a CPU. Two orders:
//   direct                  c[i,j]: from +0, for x ascending: fma(a[i,x], b[x,j], acc).
//   split_k_fixed[CHUNK=s]  the same chain inside each part of s neighbouring x; then the parts' f32 results are added in
//                           ascending order: ((part 0 + part 1) + part 2) + ... The length of a part is a number of the
//                           name, not of the machine, so a longer k adds parts and moves none.
// f16 and bf16 storage: inputs are widened to f32, results rounded to nearest even once, at the end.
//
// Provider `openmp`: split_k_atomic[CHUNK=s], the chains of split_k_fixed, whose results are added by atomics in the order in
// which threads get through.
#include "kernels/matmul/matmul_operation.hpp"

#include <algorithm>

#include "kernels/contention.hpp"
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

/// One product of rows (k, down) and columns (k, across), cut into tiles and into parts of k.
struct Cut {
  const ordered::Kernels& kernels;
  const float* rows;
  std::int64_t down;
  const float* columns;
  std::int64_t across, k, chunk;

  std::int64_t tiles() const { return (down + kernels.tile_rows - 1) / kernels.tile_rows; }
  std::int64_t panels() const { return (across + panel_columns - 1) / panel_columns; }
  std::int64_t parts() const { return (k + chunk - 1) / chunk; }
  int high(std::int64_t tile) const { return static_cast<int>(std::min<std::int64_t>(kernels.tile_rows, down - tile * kernels.tile_rows)); }
  int wide(std::int64_t panel) const { return static_cast<int>(std::min(panel_columns, across - panel * panel_columns)); }
  /// The chain of one part for the outputs of one tile and panel, in rows of `pitch`.
  void sum_part(std::int64_t tile, std::int64_t panel, std::int64_t part, float* out, std::int64_t pitch) const {
    const std::int64_t first = part * chunk, terms = std::min(chunk, k - first);
    // One image of one row: its pixels are the terms.
    const ordered::PixelSums sums{rows + first * down, columns + first * across, 1, terms, down, 1, terms, across, 1, 1, 0, 0, 1, 1};
    kernels.outer(high(tile), wide(panel), sums, false, 0, 1, 0, 0, tile * kernels.tile_rows, panel * panel_columns, out, pitch);
  }
};

/// out (down, across). Each output's sum is walked by one thread.
void multiply(const Cut& cut, float* out) {
  const std::int64_t tiles = cut.tiles(), panels = cut.panels();
#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      float* corner = out + tile * cut.kernels.tile_rows * cut.across + panel * panel_columns;
      cut.sum_part(tile, panel, 0, corner, cut.across);
      for (std::int64_t p = 1; p < cut.parts(); ++p) {
        float part[ordered::most_tile_rows * panel_columns];
        cut.sum_part(tile, panel, p, part, panel_columns);
        for (int r = 0; r < cut.high(tile); ++r)
          for (int c = 0; c < cut.wide(panel); ++c) corner[r * cut.across + c] += part[r * panel_columns + c];
      }
    }
}

/// The same, part by part: a thread takes neighbouring parts, so that those of one output fall to all threads.
void multiply_atomic(const Cut& cut, float* out) {
  const std::int64_t tiles = cut.tiles(), panels = cut.panels(), parts = cut.parts(), elements = cut.down * cut.across;
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) out[i] = 0.0f;
#pragma omp for collapse(3) schedule(static)
    for (std::int64_t p = 0; p < parts; ++p)
      for (std::int64_t tile = 0; tile < tiles; ++tile)
        for (std::int64_t panel = 0; panel < panels; ++panel) {
          float part[ordered::most_tile_rows * panel_columns];
          cut.sum_part(tile, panel, p, part, panel_columns);
          float* corner = out + tile * cut.kernels.tile_rows * cut.across + panel * panel_columns;
          for (int r = 0; r < cut.high(tile); ++r)
            for (int c = 0; c < cut.wide(panel); ++c) {
#pragma omp atomic
              corner[r * cut.across + c] += part[r * panel_columns + c];
            }
        }
  }
}

/// How parts meet.
struct Split {
  std::int64_t chunk;
  bool atomic = false;
};

class OrderedOp final : public Op {
 public:
  OrderedOp(const MatmulProblem& problem, Split split, const ordered::Kernels& kernels, std::span<const Tensor> inputs, const Tensor& c, Region workspace)
      : p_(problem), split_(split), kernels_(kernels), a_(inputs[0]), b_(inputs[1]), c_(c) {
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
    const Cut cut{kernels_, rows_, p_.mb, columns_, p_.n, p_.k, split_.chunk};
    if (split_.atomic) multiply_atomic(cut, sums_);
    else multiply(cut, sums_);
    if (!is_narrow(p_)) return {};
    auto* target = static_cast<std::uint16_t*>(c_.region.data);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < p_.mb * p_.n; ++i) target[i] = type == DataType::f16 ? f16_from_float(sums_[i]) : bf16_from_float(sums_[i]);
    return {};
  }

 private:
  MatmulProblem p_;
  Split split_;
  const ordered::Kernels& kernels_;
  Tensor a_, b_, c_;
  float *rows_, *columns_, *sums_;
};

class OrderedPlan final : public Plan {
 public:
  OrderedPlan(const MatmulProblem& problem, Split split, const ordered::Kernels& kernels)
      : problem_(problem), split_(split), kernels_(kernels), tensors_(tensors_of(problem)) {}
  const std::vector<TensorSpec>& inputs() const override { return tensors_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return tensors_.outputs; }
  std::size_t workspace_bytes() const override {
    return (copies_a(problem_) ? f32_bytes(tensors_.inputs[0]) : 0) + (copies_b(problem_) ? f32_bytes(tensors_.inputs[1]) : 0) +
           (is_narrow(problem_) ? f32_bytes(tensors_.outputs[0]) : 0);
  }
  std::map<std::string, std::string> notes() const override {
    std::map<std::string, std::string> notes{{"instruction_set", std::string(to_text(kernels_.set))}};
    if (split_.atomic) notes.merge(contention_notes((problem_.k + split_.chunk - 1) / split_.chunk));
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream&) override {
    if (inputs.size() != 2 || outputs.size() != 1) return failure("a matrix product was bound to the wrong number of tensors");
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<OrderedOp>(problem_, split_, kernels_, inputs, outputs[0], workspace);
  }

 private:
  MatmulProblem problem_;
  Split split_;
  const ordered::Kernels& kernels_;
  MatmulTensors tensors_;
};

Status only_isa(const Algorithm& algorithm) {
  for (const auto& [key, value] : algorithm.options)
    if (key != "isa") return invalid_input("option " + key + "=" + value + " is none of " + algorithm.provider + "'s: isa=avx2 is");
  return {};
}

class FixedOrderMatmul final : public Provider {
 public:
  explicit FixedOrderMatmul(const AlgorithmSearch& search) : search_(search) {}
  std::string_view name() const override { return "fixed_order"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return no_offers(name(), Reason{no_tf32_order, Reason::Kind::unsupported});
    if (device.kind() == DeviceKind::cuda) return fixed_offers_on_gpu(problem, search_);
    std::vector<Offer> offers{offer("direct")};
    for (const auto chunk : split_chunks)
      if (p->k > chunk) offers.push_back(offer(split_name("split_k_fixed", chunk)));
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (p->types.tf32) return unsupported(no_tf32_order);
    if (device.kind() == DeviceKind::cuda) return plan_fixed_product_on_gpu(problem, algorithm);
    if (auto s = only_isa(algorithm); !s) return tl::unexpected(s.error());
    std::int64_t chunk = p->k;
    if (algorithm.name != "direct") {
      const auto named = parse_split_name("split_k_fixed", algorithm.name);
      if (!named) return tl::unexpected(named.error());
      chunk = *named;
    }
    const auto kernels = ordered::choose_kernels(algorithm.options);
    if (!kernels) return tl::unexpected(kernels.error());
    return std::make_unique<OrderedPlan>(*p, Split{chunk}, **kernels);
  }

 private:
  static Offer offer(std::string name) {
    Offer offer;
    offer.algorithm.provider = "fixed_order";
    offer.algorithm.name = std::move(name);
    offer.algorithm.claim = {Guarantee::gpu_to_gpu, "by construction", {all_scopes.begin(), all_scopes.end()}};
    return offer;
  }
  AlgorithmSearch search_;
};

class OpenmpMatmul final : public Provider {
 public:
  std::string_view name() const override { return "openmp"; }

  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return no_offers(name(), status.error());
    std::vector<Offer> offers;
    for (const auto chunk : split_chunks) {
      if (p->k <= chunk) continue;
      Offer offer;
      offer.algorithm.provider = "openmp";
      offer.algorithm.name = split_name("split_k_atomic", chunk);
      offers.push_back(std::move(offer));
    }
    if (offers.empty()) return no_offers(name(), {"its " + std::to_string(p->k) + " products fit one part of 256: nothing to split", Reason::Kind::unsupported});
    return offers;
  }

  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    const auto p = parse_matmul(problem);
    if (!p) return tl::unexpected(p.error());
    if (auto status = supported(*p, device); !status) return tl::unexpected(status.error());
    if (auto s = only_isa(algorithm); !s) return tl::unexpected(s.error());
    const auto chunk = parse_split_name("split_k_atomic", algorithm.name);
    if (!chunk) return tl::unexpected(chunk.error());
    const auto kernels = ordered::choose_kernels(algorithm.options);
    if (!kernels) return tl::unexpected(kernels.error());
    return std::make_unique<OrderedPlan>(*p, Split{*chunk, true}, **kernels);
  }

 private:
  static Status supported(const MatmulProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("openmp matmul exists for the CPU only");
    if (p.types.tf32) return unsupported("tf32 is a GPU's arithmetic");
    return {};
  }
};

}  // namespace

std::unique_ptr<Provider> make_fixed_order_matmul(const AlgorithmSearch& search) { return std::make_unique<FixedOrderMatmul>(search); }
std::unique_ptr<Provider> make_openmp_matmul() { return std::make_unique<OpenmpMatmul>(); }

}  // namespace detbench
