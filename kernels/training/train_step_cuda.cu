// The train step's small ops on a GPU.
#include "kernels/simple_cuda.hpp"
#include "kernels/training/device_table.hpp"
#include "kernels/training/parts.hpp"
#include "kernels/training/scale_elements.hpp"

namespace detbench::training {
namespace {

using simple_cuda::block_threads;
using simple_cuda::stream_of;

/// One thread's work, for ops on single numbers.
struct AdvanceStep {
  const std::int32_t* finite;  ///< nullptr: always
  std::int32_t* step;
  __device__ void operator()(unsigned) const {
    if (finite == nullptr || *finite != 0) *step += 1;
  }
};
struct UpdateLossScale {
  LossScaleRule rule;
  const std::int32_t* finite;
  float* loss_scale;
  std::int32_t* good_steps;
  __device__ void operator()(unsigned) const { rule(*finite, *loss_scale, *good_steps); }
};
struct SetOne {
  std::int32_t* target;
  __device__ void operator()(unsigned) const { *target = 1; }
};

template <class F>
Status enqueue_once(const F& f, void* native) {
  simple_cuda::for_each_index<<<1, 1, 0, stream_of(native)>>>(1u, f);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

/// A block for each piece. Every thread writes the same 0, whatever it saw first: no order can matter.
__global__ void __launch_bounds__(block_threads)
    check_pieces(std::int64_t count, const Piece* __restrict__ pieces, const float* const* __restrict__ tensors, std::int32_t* finite) {
  for (std::int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const Piece piece = pieces[k];
    const float* values = tensors[piece.tensor] + piece.begin;
    bool found = false;
#pragma unroll 8
    for (int i = static_cast<int>(threadIdx.x); i < piece.count; i += block_threads) found |= is_not_finite(values[i]);
    if (found) atomicAnd(finite, 0);
  }
}

struct StatisticsRow {
  const float* batch;
  float* moving;
};
__global__ void __launch_bounds__(block_threads)
    move_statistics(std::int64_t count, const Piece* __restrict__ pieces, const StatisticsRow* __restrict__ rows, MovingAverage average) {
  for (std::int64_t k = blockIdx.x; k < count; k += gridDim.x) {
    const Piece piece = pieces[k];
    const StatisticsRow row = rows[piece.tensor];
    for (int i = static_cast<int>(threadIdx.x); i < piece.count; i += block_threads) {
      const std::int64_t at = piece.begin + i;
      row.moving[at] = average(row.moving[at], row.batch[at]);
    }
  }
}

unsigned blocks_of(const std::vector<Piece>& pieces) { return simple_cuda::blocks_for(static_cast<std::int64_t>(pieces.size()), 1); }

}  // namespace

Result<SimplePlanParts> cuda_advance_step_parts(SimplePlanParts parts, bool only_if_finite) {
  parts.launch = [only_if_finite](auto in, auto out, Region, void* native) {
    return enqueue_once(AdvanceStep{only_if_finite ? &integer_at(in[0]) : nullptr, &integer_at(out[0])}, native);
  };
  return parts;
}

Result<SimplePlanParts> cuda_loss_scale_parts(SimplePlanParts parts, const LossScaleRule& rule) {
  parts.launch = [rule](auto in, auto out, Region, void* native) {
    return enqueue_once(UpdateLossScale{rule, &integer_at(in[0]), &float_at(out[0]), &integer_at(out[1])}, native);
  };
  return parts;
}

Result<SimplePlanParts> cuda_all_finite_parts(SimplePlanParts parts, const std::vector<std::int64_t>& elements, Device& device) {
  parts.bind = [pieces = pieces_of(elements, block_piece), &device](std::span<const Tensor> in, std::span<const Tensor> out, Region,
                                                       Stream& stream) -> Result<std::unique_ptr<Op>> {
    std::vector<const float*> tensors;
    for (const auto& t : in) tensors.push_back(static_cast<const float*>(t.region.data));
    auto table = make_device_table(tensors, device, stream);
    if (!table) return tl::unexpected(table.error());
    auto work = make_device_table(pieces, device, stream);
    if (!work) return tl::unexpected(work.error());
    return std::make_unique<FunctionOp>([table = *table, work = *work, count = static_cast<std::int64_t>(pieces.size()), blocks = blocks_of(pieces),
                                         finite = &integer_at(out[0]), native = stream.native()]() -> Status {
      if (auto s = enqueue_once(SetOne{finite}, native); !s) return s;
      if (count == 0) return {};
      check_pieces<<<blocks, block_threads, 0, stream_of(native)>>>(count, rows_of<Piece>(work), rows_of<const float*>(table), finite);
      DETBENCH_CUDA_TRY(cudaGetLastError());
      return {};
    });
  };
  return parts;
}

Result<SimplePlanParts> cuda_moving_statistics_parts(SimplePlanParts parts, const std::vector<std::int64_t>& channels, const MovingAverage& average,
                                                     Device& device) {
  std::vector<std::int64_t> elements;  // mean and variance of each layer
  for (const auto n : channels) elements.insert(elements.end(), 2, n);
  parts.bind = [pieces = pieces_of(elements, block_piece), average, &device](std::span<const Tensor> in, std::span<const Tensor> out, Region,
                                                                Stream& stream) -> Result<std::unique_ptr<Op>> {
    std::vector<StatisticsRow> rows;
    for (std::size_t i = 0; i < in.size(); ++i) rows.push_back({static_cast<const float*>(in[i].region.data), static_cast<float*>(out[i].region.data)});
    auto table = make_device_table(rows, device, stream);
    if (!table) return tl::unexpected(table.error());
    auto work = make_device_table(pieces, device, stream);
    if (!work) return tl::unexpected(work.error());
    return std::make_unique<FunctionOp>([table = *table, work = *work, count = static_cast<std::int64_t>(pieces.size()), blocks = blocks_of(pieces), average,
                                         native = stream.native()]() -> Status {
      if (count == 0) return {};
      move_statistics<<<blocks, block_threads, 0, stream_of(native)>>>(count, rows_of<Piece>(work), rows_of<StatisticsRow>(table), average);
      DETBENCH_CUDA_TRY(cudaGetLastError());
      return {};
    });
  };
  return parts;
}

Result<SimplePlanParts> cuda_cast_scale_parts(SimplePlanParts parts, DataType from, DataType to, bool scaled) {
  parts.launch = [from, to, scaled, n = parts.inputs[0].shape[0]](auto in, auto out, Region, void* native) {
    const float* scale_at = scaled ? &float_at(in[1]) : nullptr;
    return with_cast_scale(from, to, in[0].region.data, out[0].region.data, 1.0f,
                           [&](const auto& f) { return simple_cuda::enqueue_for_each(n, f, native); }, scale_at);
  };
  return parts;
}

Result<SimplePlanParts> cuda_rescale_parts(SimplePlanParts parts, DataType type, float scale, float offset) {
  parts.launch = [type, scale, offset, n = parts.inputs[0].shape[0]](auto in, auto out, Region, void* native) {
    return with_rescale(type, in[0].region.data, out[0].region.data, scale, offset,
                        [&](const auto& f) { return simple_cuda::enqueue_for_each(n, f, native); });
  };
  return parts;
}

}  // namespace detbench::training
