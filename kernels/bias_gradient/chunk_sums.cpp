#include "kernels/bias_gradient/chunk_sums.hpp"

#include <algorithm>

#include "kernels/bias_gradient/order.hpp"
#include "kernels/reduction/simd.hpp"

// Vectors wider than the baseline's registers are passed between inlined functions only, never through a call.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::bias_gradient {
namespace {

using reduction::channel_lanes;
using reduction::Isa;
/// A group's channels in one vector on every instruction set; channels never meet, so the compiler may split it.
using Wide = reduction::Simd<float, 4 * group_channels>;
static_assert(Wide::width == group_channels);

template <class Stored, bool Full>
DETBENCH_INLINE void load_row(Wide::Vector& to, const typename Stored::Word* x, std::int64_t width) {
  alignas(64) float values[group_channels] = {};
  if constexpr (Full)
    for (int c = 0; c < group_channels; ++c) values[c] = Stored::load(x[c]);
  else
    for (std::int64_t c = 0; c < width; ++c) values[c] = Stored::load(x[c]);
  Wide::load(to, values);
}

/// Channels last: the rows of a chunk, eight at a time, a lane each.
template <class Stored, bool Full>
DETBENCH_INLINE void sum_rows(const typename Stored::Word* x, std::int64_t stride, std::int64_t rows, std::int64_t width, float* sums) {
  Wide::Vector lanes[channel_lanes], row;
#pragma GCC unroll 8
  for (auto& lane : lanes) lane = -Wide::Vector{};  // absent_value() in every channel
  std::int64_t first = 0;
  for (; first + channel_lanes <= rows; first += channel_lanes)
#pragma GCC unroll 8
    for (int l = 0; l < channel_lanes; ++l) {
      load_row<Stored, Full>(row, x + (first + l) * stride, width);
      lanes[l] += row;
    }
#pragma GCC unroll 8
  for (int l = 0; l < channel_lanes; ++l)
    if (first + l < rows) {
      load_row<Stored, Full>(row, x + (first + l) * stride, width);
      lanes[l] += row;
    }
  // fold_channel_lanes() for all channels at once.
  Wide::store(sums, ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])));
}

/// Planes: the pixels of one channel in runs that end where images do; eight neighbours are eight lanes once a run has
/// reached lane 0.
template <class Stored>
DETBENCH_INLINE float sum_planes(const typename Stored::Word* x, const reduction::ChannelMemory& memory, std::int64_t first,
                                 std::int64_t last, std::int64_t channel) {
  using V = reduction::Simd<float, 4 * channel_lanes>;
  alignas(64) float lanes[channel_lanes];
  std::fill(lanes, lanes + channel_lanes, reduction::absent_value<float>());
  for (std::int64_t pixel = first; pixel < last;) {
    const typename Stored::Word* run = x + memory.offset<false>(pixel, channel);
    const std::int64_t length = std::min(last - pixel, memory.plane - pixel % memory.plane);
    std::int64_t at = 0, lane = (pixel - first) % channel_lanes;
    for (; at < length && lane != 0; ++at, lane = (lane + 1) % channel_lanes) lanes[lane] += Stored::load(run[at]);
    V::Vector sums;
    V::load(sums, lanes);
    for (; at + channel_lanes <= length; at += channel_lanes) {
      alignas(32) float values[channel_lanes];
      for (int l = 0; l < channel_lanes; ++l) values[l] = Stored::load(run[at + l]);
      V::Vector row;
      V::load(row, values);
      sums += row;
    }
    V::store(lanes, sums);
    for (; at < length; ++at, ++lane) lanes[lane] += Stored::load(run[at]);
    pixel += length;
  }
  return reduction::fold_channel_lanes(lanes, 1);
}

template <class Stored>
DETBENCH_INLINE void sum_body(const Call& call, ChunkSums& out) {
  const auto& p = call.problem;
  const auto* x = static_cast<const typename Stored::Word*>(call.diff_dst);
  const reduction::ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const std::int64_t first = out.chunk * chunk_pixels, last = chunk_end(out.chunk, p.pixels());
  if (!p.channels_last) {
    for (std::int64_t c = 0; c < out.width; ++c) out.sums[c] = sum_planes<Stored>(x, memory, first, last, out.channel + c);
  } else if (out.width == group_channels) {
    sum_rows<Stored, true>(x + memory.offset<true>(first, out.channel), p.channels, last - first, out.width, out.sums);
  } else {
    sum_rows<Stored, false>(x + memory.offset<true>(first, out.channel), p.channels, last - first, out.width, out.sums);
  }
}

template <class Stored>
void sum_baseline(const Call& call, ChunkSums& out) { sum_body<Stored>(call, out); }
template <class Stored>
DETBENCH_TARGET_AVX2 void sum_avx2(const Call& call, ChunkSums& out) { sum_body<Stored>(call, out); }
template <class Stored>
DETBENCH_TARGET_AVX512 void sum_avx512(const Call& call, ChunkSums& out) { sum_body<Stored>(call, out); }

template <class Stored>
void sum_with(const Call& call, ChunkSums& out) {
  switch (call.isa) {
    case Isa::avx512: return sum_avx512<Stored>(call, out);
    case Isa::avx2: return sum_avx2<Stored>(call, out);
    default: return sum_baseline<Stored>(call, out);
  }
}

}  // namespace

std::int64_t Call::chunks() const { return chunk_count(problem.pixels()); }

ChunkSums sum_chunk(const Call& call, std::int64_t task) {
  const std::int64_t groups = group_count(call.problem.channels), channel = task % groups * group_channels;
  ChunkSums out{task / groups, channel, std::min(group_channels, call.problem.channels - channel), {}};
  switch (call.problem.types.storage) {
    case DataType::f16: sum_with<reduction::StoredF16>(call, out); break;
    case DataType::bf16: sum_with<reduction::StoredBf16>(call, out); break;
    default: sum_with<reduction::StoredF32>(call, out);
  }
  return out;
}

Result<SimplePlanParts> make_parts(const Problem& problem, Isa isa, bool keeps_partials, void (*run)(const Call&)) {
  const auto p = parse_bias_gradient(problem);
  if (!p) return tl::unexpected(p.error());
  SimplePlanParts parts{{p->diff_dst()}, {p->diff_bias()}, 0, {}, {{"isa", std::string(to_text(isa))}}};
  parts.alignment_bytes = sizeof(float);
  if (keeps_partials) parts.workspace_bytes = partial_bytes(p->pixels(), p->channels);
  parts.run = [run, isa, p = *p](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
    run({in[0].region.data, static_cast<float*>(out[0].region.data), static_cast<float*>(workspace.data), p, isa});
  };
  return parts;
}

}  // namespace detbench::bias_gradient
