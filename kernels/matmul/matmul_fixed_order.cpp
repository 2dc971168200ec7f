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
#include "kernels/matmul/product_tile.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench {
namespace {

using ordered::panel_columns;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
std::size_t f32_bytes(const TensorSpec& spec) { return aligned(static_cast<std::size_t>(element_count(spec.shape)) * sizeof(float)); }
float widened(DataType type, const void* data, std::int64_t at) {
  if (type == DataType::f32) return static_cast<const float*>(data)[at];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(data)[at];
  return type == DataType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}

/// The kernels read both matrices row by row with k rows: a must lie transposed and b must not. Others are copied.
bool copies_a(const Product& p) { return p.gemm.input != DataType::f32 || !p.gemm.a_transposed; }
bool copies_b(const Product& p) { return p.gemm.input != DataType::f32 || p.gemm.b_transposed; }
/// Sums are f32; an output in 16 bits is rounded from scratch.
bool has_scratch(const Product& p) { return p.outputs[0].type != DataType::f32; }
const TensorSpec& spec_of_a(const Product& p) { return p.inputs[static_cast<std::size_t>(p.a)]; }
const TensorSpec& spec_of_b(const Product& p) { return p.inputs[static_cast<std::size_t>(p.b)]; }

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
  std::int64_t parts() const { return products::parts_of(k, chunk); }
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
  OrderedOp(const Product& product, Split split, const ordered::Kernels& kernels, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
            Region workspace)
      : p_(product), split_(split), kernels_(kernels), inputs_(inputs.begin(), inputs.end()), outputs_(outputs.begin(), outputs.end()) {
    auto* memory = static_cast<std::byte*>(workspace.data);
    const auto place = [&](const Tensor& tensor, bool copied) {
      if (!copied) return static_cast<float*>(tensor.region.data);
      auto* at = reinterpret_cast<float*>(memory);
      memory += f32_bytes(tensor.spec);
      return at;
    };
    rows_ = place(input(p_.a), copies_a(p_)), columns_ = place(input(p_.b), copies_b(p_)), sums_ = place(outputs_[0], has_scratch(p_));
  }

  Status enqueue() override {
    const auto& g = p_.gemm;
    if (copies_a(p_)) copy_rows(g.input, input(p_.a).region.data, !g.a_transposed, g.k, g.m, rows_);
    if (copies_b(p_)) copy_rows(g.input, input(p_.b).region.data, g.b_transposed, g.k, g.n, columns_);
    const Cut cut{kernels_, rows_, g.m, columns_, g.n, g.k, split_.chunk};
    if (split_.atomic) multiply_atomic(cut, sums_);
    else multiply(cut, sums_);
    if (p_.bias >= 0 || has_scratch(p_)) finish();
    if (p_.column_sums >= 0) sum_columns();
    return {};
  }

 private:
  const Tensor& input(int place) const { return inputs_[static_cast<std::size_t>(place)]; }

  /// The bias is added to the whole sum, which is then rounded once to the output's type.
  void finish() {
    const DataType type = p_.outputs[0].type;
    const std::int64_t n = p_.gemm.n, elements = p_.gemm.m * n;
    const float* bias = p_.bias >= 0 ? static_cast<const float*>(input(p_.bias).region.data) : nullptr;
    void* out = outputs_[0].region.data;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) {
      const float sum = bias != nullptr ? sums_[i] + bias[i % n] : sums_[i];
      if (type == DataType::f32) static_cast<float*>(out)[i] = sum;
      else static_cast<std::uint16_t*>(out)[i] = type == DataType::f16 ? f16_from_float(sum) : bf16_from_float(sum);
    }
  }
  /// From +0, row by row.
  void sum_columns() {
    const auto& g = p_.gemm;
    const void* x = input(p_.column_sums).region.data;
    auto* out = static_cast<float*>(outputs_[1].region.data);
#pragma omp parallel for schedule(static)
    for (std::int64_t j = 0; j < g.m; ++j) {
      float sum = 0;
      for (std::int64_t i = 0; i < g.k; ++i) sum += widened(g.input, x, i * g.m + j);
      out[j] = sum;
    }
  }

  Product p_;
  Split split_;
  const ordered::Kernels& kernels_;
  std::vector<Tensor> inputs_, outputs_;
  float *rows_, *columns_, *sums_;
};

class OrderedPlan final : public Plan {
 public:
  OrderedPlan(Product product, Split split, const ordered::Kernels& kernels) : product_(std::move(product)), split_(split), kernels_(kernels) {}
  const std::vector<TensorSpec>& inputs() const override { return product_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return product_.outputs; }
  std::size_t workspace_bytes() const override {
    return (copies_a(product_) ? f32_bytes(spec_of_a(product_)) : 0) + (copies_b(product_) ? f32_bytes(spec_of_b(product_)) : 0) +
           (has_scratch(product_) ? f32_bytes(product_.outputs[0]) : 0);
  }
  std::map<std::string, std::string> notes() const override {
    std::map<std::string, std::string> notes{{"instruction_set", std::string(to_text(kernels_.set))}};
    if (split_.atomic) notes.merge(contention_notes(products::parts_of(product_.gemm.k, split_.chunk)));
    return notes;
  }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream&) override {
    if (auto status = check_bound(product_, inputs, outputs); !status) return tl::unexpected(status.error());
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " + std::to_string(workspace_bytes()));
    return std::make_unique<OrderedOp>(product_, split_, kernels_, inputs, outputs, workspace);
  }

 private:
  Product product_;
  Split split_;
  const ordered::Kernels& kernels_;
};

Result<std::unique_ptr<Plan>> ordered_plan(const Problem& problem, Split split, const Options& options) {
  auto product = parse_product(problem);
  if (!product) return tl::unexpected(product.error());
  const auto kernels = ordered::choose_kernels(options);
  if (!kernels) return tl::unexpected(kernels.error());
  return std::make_unique<OrderedPlan>(std::move(*product), split, **kernels);
}

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
    return ordered_plan(problem, {chunk}, algorithm.options);
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
    return ordered_plan(problem, {*chunk, true}, algorithm.options);
  }

 private:
  static Status supported(const MatmulProblem& p, Device& device) {
    if (device.kind() != DeviceKind::cpu) return unsupported("openmp matmul exists for the CPU only");
    if (p.types.tf32) return unsupported("tf32 is a GPU's arithmetic");
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<Plan>> plan_split_product_on_cpu(const Problem& problem, const Algorithm& algorithm) {
  const auto chunk = parse_split_name("split_k_fixed", algorithm.name);
  if (!chunk) return tl::unexpected(chunk.error());
  return ordered_plan(problem, {*chunk}, algorithm.options);
}

std::unique_ptr<Provider> make_fixed_order_matmul(const AlgorithmSearch& search) { return std::make_unique<FixedOrderMatmul>(search); }
std::unique_ptr<Provider> make_openmp_matmul() { return std::make_unique<OpenmpMatmul>(); }

}  // namespace detbench
