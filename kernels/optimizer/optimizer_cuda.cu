// The optimizer on a GPU: one launch for all parameters. A block takes a piece of a tensor at a time; where tensors lie is in
// a table in device memory.
#include "kernels/optimizer/parts.hpp"
#include "kernels/simple_cuda.hpp"
#include "kernels/training/device_table.hpp"

namespace detbench::optimizer {
namespace {

using simple_cuda::block_threads;
using training::Piece;

struct Row {
  const float *gradient, *weights;
  float* new_weights;
  const float* slot[most_slots];
  float* new_slot[most_slots];
  bool decays;
};

/// Four neighbouring elements: an access of 16 bytes.
struct alignas(16) Four {
  float v[4];
};
__device__ inline Four load(const float* memory, std::int64_t at) { return *reinterpret_cast<const Four*>(memory + at); }
__device__ inline void store(float* memory, std::int64_t at, const Four& four) { *reinterpret_cast<Four*>(memory + at) = four; }

/// Everything is read before anything is written: outputs may be the inputs' memory.
template <class Rule>
__device__ void update_four(const Rule& rule, const StepRates& rates, float decay, const Row& row, std::int64_t at) {
  const Four gradient = load(row.gradient, at);
  Four weight = load(row.weights, at), slot[most_slots];
#pragma unroll
  for (int s = 0; s < Rule::slots; ++s) slot[s] = load(row.slot[s], at);
  if (!rates.skipped) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float own[most_slots] = {};
#pragma unroll
      for (int s = 0; s < Rule::slots; ++s) own[s] = slot[s].v[i];
      update_weight(rule, rates, row.decays, decay, gradient.v[i], weight.v[i], own);
#pragma unroll
      for (int s = 0; s < Rule::slots; ++s) slot[s].v[i] = own[s];
    }
  }
  store(row.new_weights, at, weight);
#pragma unroll
  for (int s = 0; s < Rule::slots; ++s) store(row.new_slot[s], at, slot[s]);
}

template <class Rule>
__device__ void update_one(const Rule& rule, const StepRates& rates, float decay, const Row& row, std::int64_t at) {
  float weight = row.weights[at], own[most_slots] = {};
  const float gradient = row.gradient[at];
#pragma unroll
  for (int s = 0; s < Rule::slots; ++s) own[s] = row.slot[s][at];
  if (!rates.skipped) update_weight(rule, rates, row.decays, decay, gradient, weight, own);
  row.new_weights[at] = weight;
#pragma unroll
  for (int s = 0; s < Rule::slots; ++s) row.new_slot[s][at] = own[s];
}

template <class Rule>
__global__ void __launch_bounds__(block_threads)
    update_pieces(std::int64_t count, const Piece* __restrict__ pieces, const Row* __restrict__ rows, Rule rule, RateSource source, float decay) {
  const StepRates rates = source.read();
  for (std::int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const Piece piece = pieces[k];
    const Row row = rows[piece.tensor];
    const int fours = piece.count / 4;
    for (int i = static_cast<int>(threadIdx.x); i < fours; i += block_threads) update_four(rule, rates, decay, row, piece.begin + 4 * i);
    const int last = 4 * fours + static_cast<int>(threadIdx.x);
    if (last < piece.count) update_one(rule, rates, decay, row, piece.begin + last);
  }
}

std::vector<Row> rows_of(const Request& request, int slots, std::span<const Tensor> in, std::span<const Tensor> out) {
  const std::size_t n = request.count();
  const auto at = [](const Tensor& t) { return static_cast<float*>(t.region.data); };
  std::vector<Row> rows(n);
  for (std::size_t t = 0; t < n; ++t) {
    rows[t] = {at(in[t]), at(in[n + t]), at(out[t]), {}, {}, request.spec.weight_decay != 0 && request.decayed[t]};
    for (int s = 0; s < slots; ++s) rows[t].slot[s] = at(in[(2 + s) * n + t]), rows[t].new_slot[s] = at(out[(1 + s) * n + t]);
  }
  return rows;
}

template <class Rule>
Result<std::unique_ptr<Op>> bind(const Rule& rule, const Request& request, const std::vector<Piece>& pieces, Device& device, std::span<const Tensor> in,
                                 std::span<const Tensor> out, Stream& stream) {
  auto rows = training::make_device_table(rows_of(request, Rule::slots, in, out), device, stream);
  if (!rows) return tl::unexpected(rows.error());
  auto work = training::make_device_table(pieces, device, stream);
  if (!work) return tl::unexpected(work.error());
  const auto count = static_cast<std::int64_t>(pieces.size());
  return std::make_unique<FunctionOp>([=, rows = *rows, work = *work, source = source_of(request, Rule::slots, in),
                                       decay = static_cast<float>(request.spec.weight_decay), native = stream.native()]() -> Status {
    if (count == 0) return {};
    update_pieces<<<simple_cuda::blocks_for(count, 1), block_threads, 0, simple_cuda::stream_of(native)>>>(
        count, training::rows_of<Piece>(work), training::rows_of<Row>(rows), rule, source, decay);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  });
}

}  // namespace

Result<SimplePlanParts> cuda_parts(SimplePlanParts parts, const Request& request, Device& device) {
  // Accesses of 16 bytes: tensors begin at multiples of that, and so do their pieces.
  parts.alignment_bytes = sizeof(Four);
  parts.bind = [request, pieces = training::pieces_of(request.elements, training::block_piece), &device](std::span<const Tensor> in, std::span<const Tensor> out, Region,
                                                                                Stream& stream) {
    return with_rule(request.spec, [&](const auto& rule) { return bind(rule, request, pieces, device, in, out, stream); });
  };
  return parts;
}

}  // namespace detbench::optimizer
