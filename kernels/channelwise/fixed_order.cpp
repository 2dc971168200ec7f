// The channel-wise operations on a CPU. Elements do not meet but in the sums of scale_channels_bwd (order.hpp), so threads,
// layouts and vectors are free; the loops are written for vectors along channels, or along pixels in planes, and compiled per
// instruction set.
#include <algorithm>

#include "kernels/channelwise/order.hpp"
#include "kernels/channelwise/parts.hpp"
#include "kernels/contention.hpp"
#include "kernels/tensor/digest_host.hpp"

namespace detbench::channelwise {
namespace {

/// Rows of `width` channels, `stride` elements apart: whole pixels (channels last) or one block of channels; with planes, one
/// channel whose pixels are neighbours.
struct Memory {
  std::int64_t images, plane, channels, block;  ///< block: 0 channels last, 1 planes, else channels per block

  std::int64_t blocks() const { return block == 0 ? 1 : (channels + block - 1) / block; }
  std::int64_t row() const { return block == 0 ? channels : block; }
  /// Elements of one image, padding included.
  std::int64_t image() const { return blocks() * plane * row(); }
};
Memory memory_of(const ChannelwiseProblem& p) {
  return {p.batch, p.plane(), p.channels, p.layout == "nhwc" ? 0 : p.layout == "nchw" ? 1 : p.layout == "nchw8c" ? 8 : 16};
}

/// Channels that a task sums together: 8 lanes of them fit the first-level cache, and a row of them is a few cache lines.
constexpr std::int64_t group = 64;

struct Multiply {
  static float of(float a, float b) { return a * b; }
};
struct Add {
  static float of(float a, float b) { return a + b; }
};

/// y = x op values, row by row; Width: of the rows where it is known when this is compiled, else 0.
template <class Stored, class Op, int Width>
[[gnu::always_inline]] inline void rows(const typename Stored::Word* x, typename Stored::Word* y, std::int64_t pixels, std::int64_t width,
                                        const float* __restrict values) {
  const std::int64_t w = Width > 0 ? Width : width;
  for (std::int64_t p = 0; p < pixels; ++p) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < w; ++c) y[p * w + c] = Stored::store(Op::of(Stored::load(x[p * w + c]), values[c]));
  }
}
template <class Stored, class Op>
[[gnu::always_inline]] inline void elements(const typename Stored::Word* x, typename Stored::Word* y, std::int64_t pixels, std::int64_t width, const float* values) {
  if (width == 16) return rows<Stored, Op, 16>(x, y, pixels, width, values);
  if (width == 8) return rows<Stored, Op, 8>(x, y, pixels, width, values);
  if (width > 1) return rows<Stored, Op, 0>(x, y, pixels, width, values);
  const float value = values[0];
#pragma GCC ivdep
  for (std::int64_t p = 0; p < pixels; ++p) y[p] = Stored::store(Op::of(Stored::load(x[p]), value));
}

/// A chunk of pixels of up to `group` channels: dx = dy*scale and the lanes' sums of dy*x, in one pass over memory.
/// `stride` elements from pixel to pixel.
template <class Stored, int Width>
[[gnu::always_inline]] inline void chunk_rows(const typename Stored::Word* x, const typename Stored::Word* dy, typename Stored::Word* dx,
                                              std::int64_t pixels, std::int64_t stride, std::int64_t width, const float* __restrict scale,
                                              float* __restrict lanes) {
  const std::int64_t w = Width > 0 ? Width : width;
  for (std::int64_t p = 0; p < pixels; ++p) {
    float* __restrict lane = lanes + p % channel_lanes * group;
    const std::int64_t at = p * stride;
#pragma GCC ivdep
    for (std::int64_t c = 0; c < w; ++c) {
      const float d = Stored::load(dy[at + c]);
      lane[c] += d * Stored::load(x[at + c]);
      dx[at + c] = Stored::store(d * scale[c]);
    }
  }
}
/// Rows that are one block of channels: eight neighbouring pixels are Width channels of the eight lanes, one after the other.
template <class Stored, int Width>
[[gnu::always_inline]] inline void chunk_blocks(const typename Stored::Word* x, const typename Stored::Word* dy, typename Stored::Word* dx,
                                                std::int64_t pixels, const float* __restrict scale, float* __restrict sums) {
  constexpr int round = channel_lanes * Width;
  alignas(64) float lanes[round] = {}, scales[round];
  for (int i = 0; i < round; ++i) scales[i] = scale[i % Width];
  const auto add = [&](std::int64_t at, int elements) __attribute__((always_inline)) {
#pragma GCC ivdep
    for (int i = 0; i < elements; ++i) {
      const float d = Stored::load(dy[at + i]);
      lanes[i] += d * Stored::load(x[at + i]);
      dx[at + i] = Stored::store(d * scales[i]);
    }
  };
  std::int64_t p = 0;
  for (; p + channel_lanes <= pixels; p += channel_lanes) add(p * Width, round);
  if (p < pixels) add(p * Width, static_cast<int>(pixels - p) * Width);
  for (int c = 0; c < Width; ++c) sums[c] = reduction::fold_channel_lanes(lanes + c, Width);
}
template <class Stored>
[[gnu::always_inline]] inline void chunk(const typename Stored::Word* x, const typename Stored::Word* dy, typename Stored::Word* dx, std::int64_t pixels,
                                         std::int64_t stride, std::int64_t width, const float* scale, float* sums) {
  if (stride == 16 && width == 16) return chunk_blocks<Stored, 16>(x, dy, dx, pixels, scale, sums);
  if (stride == 8 && width == 8) return chunk_blocks<Stored, 8>(x, dy, dx, pixels, scale, sums);
  alignas(64) float lanes[channel_lanes * group] = {};
  if (stride == 1) {
    // A plane: eight neighbouring pixels are the eight lanes.
    std::int64_t p = 0;
    for (; p + channel_lanes <= pixels; p += channel_lanes) {
#pragma GCC ivdep
      for (int l = 0; l < channel_lanes; ++l) {
        const float d = Stored::load(dy[p + l]);
        lanes[l] += d * Stored::load(x[p + l]);
        dx[p + l] = Stored::store(d * scale[0]);
      }
    }
    for (int l = 0; p < pixels; ++p, ++l) {
      const float d = Stored::load(dy[p]);
      lanes[l] += d * Stored::load(x[p]);
      dx[p] = Stored::store(d * scale[0]);
    }
    sums[0] = reduction::fold_channel_lanes(lanes, 1);
    return;
  }
  if (width == 64) chunk_rows<Stored, 64>(x, dy, dx, pixels, stride, width, scale, lanes);
  else chunk_rows<Stored, 0>(x, dy, dx, pixels, stride, width, scale, lanes);
  for (std::int64_t c = 0; c < width; ++c) sums[c] = reduction::fold_channel_lanes(lanes + c, group);
}

/// The loops for one instruction set.
template <class Stored>
struct Loops {
  using Word = typename Stored::Word;
  void (*multiply)(const Word*, Word*, std::int64_t, std::int64_t, const float*);
  void (*add)(const Word*, Word*, std::int64_t, std::int64_t, const float*);
  void (*chunk)(const Word*, const Word*, Word*, std::int64_t, std::int64_t, std::int64_t, const float*, float*);
};
#define DETBENCH_LOOPS(name, target)                                                                                                            \
  template <class Stored>                                                                                                                       \
  struct name {                                                                                                                                 \
    using Word = typename Stored::Word;                                                                                                         \
    target static void multiply(const Word* x, Word* y, std::int64_t n, std::int64_t w, const float* v) { elements<Stored, Multiply>(x, y, n, w, v); } \
    target static void add(const Word* x, Word* y, std::int64_t n, std::int64_t w, const float* v) { elements<Stored, Add>(x, y, n, w, v); }    \
    target static void sum(const Word* x, const Word* dy, Word* dx, std::int64_t n, std::int64_t stride, std::int64_t w, const float* scale, float* sums) { \
      chunk<Stored>(x, dy, dx, n, stride, w, scale, sums);                                                                                      \
    }                                                                                                                                           \
    static constexpr Loops<Stored> table{multiply, add, sum};                                                                                   \
  };
DETBENCH_LOOPS(Baseline, [[gnu::flatten]])
#if defined(__x86_64__)
#define DETBENCH_AVX2 [[gnu::target("avx2"), gnu::flatten]]
#define DETBENCH_AVX512 [[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512"), gnu::flatten]]
DETBENCH_LOOPS(Avx2, DETBENCH_AVX2)
DETBENCH_LOOPS(Avx512, DETBENCH_AVX512)
#undef DETBENCH_AVX2
#undef DETBENCH_AVX512
#endif
#undef DETBENCH_LOOPS

bool has(InstructionSet set) {
#if defined(__x86_64__)
  if (set == InstructionSet::avx512)
    return digest_instruction_level() == 2 && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (set == InstructionSet::avx2) return digest_instruction_level() >= 1;
#endif
  return set == InstructionSet::baseline;
}
template <class Stored>
const Loops<Stored>& loops_for(InstructionSet set) {
#if defined(__x86_64__)
  if (set == InstructionSet::avx512) return Avx512<Stored>::table;
  if (set == InstructionSet::avx2) return Avx2<Stored>::table;
#endif
  (void)set;
  return Baseline<Stored>::table;
}

/// Pixels of a task where rows are whole pixels.
constexpr std::int64_t pixel_cut = 16;

template <class Stored>
void forward(const Memory& m, bool bias, const Loops<Stored>& loops, std::span<const Tensor> in, std::span<const Tensor> out, float* values) {
  using Word = typename Stored::Word;
  const auto* x = static_cast<const Word*>(in[0].region.data);
  auto* y = static_cast<Word*>(out[0].region.data);
  // One row of values per image, or one for all; padding channels become 0*0 and 0 + 0.
  const std::int64_t rows = bias ? 1 : m.images, row = m.blocks() * m.row();
  for (std::int64_t n = 0; n < rows; ++n)
    for (std::int64_t c = 0; c < row; ++c) {
      const std::int64_t at = n * m.channels + c;
      values[n * row + c] = c >= m.channels ? 0.0f : bias ? static_cast<const float*>(in[1].region.data)[at] : Stored::load(static_cast<const Word*>(in[1].region.data)[at]);
    }
  const std::int64_t cuts = m.block == 0 ? (m.plane + pixel_cut - 1) / pixel_cut : m.blocks();
#pragma omp parallel for schedule(static)
  for (std::int64_t t = 0; t < m.images * cuts; ++t) {
    const std::int64_t n = t / cuts, cut = t % cuts;
    const std::int64_t first = m.block == 0 ? cut * pixel_cut : 0, pixels = m.block == 0 ? std::min(pixel_cut, m.plane - first) : m.plane;
    const std::int64_t channel = m.block == 0 ? 0 : cut * m.row(), at = n * m.image() + channel * m.plane + first * m.row();
    (bias ? loops.add : loops.multiply)(x + at, y + at, pixels, m.row(), values + (bias ? 0 : n * row) + channel);
  }
}

/// Atomic: the sums of chunks meet in one total per image and channel as threads get through, instead of being kept and added
/// in ascending order. Chunks are the same.
template <class Stored, bool Atomic>
void backward(const Memory& m, const Loops<Stored>& loops, std::span<const Tensor> in, std::span<const Tensor> out, float* values) {
  using Word = typename Stored::Word;
  const auto *x = static_cast<const Word*>(in[0].region.data), *scale = static_cast<const Word*>(in[1].region.data), *dy = static_cast<const Word*>(in[2].region.data);
  auto *dx = static_cast<Word*>(out[0].region.data), *diff_scale = static_cast<Word*>(out[1].region.data);
  const std::int64_t row = m.blocks() * m.row(), chunks = chunk_count(m.plane);
  const std::int64_t width = m.block == 0 ? std::min(group, m.channels) : m.row(), groups = (row + width - 1) / width;
  float* partials = values + m.images * row;
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < m.images; ++n)
      for (std::int64_t c = 0; c < row; ++c) {
        values[n * row + c] = c < m.channels ? Stored::load(scale[n * m.channels + c]) : 0.0f;
        if (Atomic) partials[n * row + c] = 0.0f;
      }
#pragma omp for schedule(static)
    for (std::int64_t t = 0; t < m.images * chunks * groups; ++t) {
      const std::int64_t n = t / (chunks * groups);
      // Groups of a chunk in a row where they are neighbours in memory, chunks of a block in a row where those are.
      const std::int64_t inside = t % (chunks * groups), k = m.block == 0 ? inside / groups : inside % chunks;
      const std::int64_t channel = (m.block == 0 ? inside % groups : inside / chunks) * width;
      const std::int64_t first = k * chunk_pixels, pixels = chunk_end(k, m.plane) - first;
      const std::int64_t at = n * m.image() + (m.block == 0 ? first * m.channels + channel : channel * m.plane + first * m.row());
      float here[group];
      float* sums = Atomic ? here : partials + (n * chunks + k) * row + channel;
      loops.chunk(x + at, dy + at, dx + at, pixels, m.row(), std::min(width, row - channel), values + n * row + channel, sums);
      if (Atomic)
        for (std::int64_t c = 0; c < std::min(width, row - channel); ++c) {
#pragma omp atomic
          partials[n * row + channel + c] += here[c];
        }
    }
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < m.images; ++n)
      for (std::int64_t c = 0; c < m.channels; ++c)
        diff_scale[n * m.channels + c] =
            Stored::store(Atomic ? partials[n * row + c] : meet_chunks(chunks, [&](std::int64_t k) { return partials[(n * chunks + k) * row + c]; }));
  }
}

template <class Stored>
auto run_of(const ChannelwiseProblem& p, InstructionSet set, bool atomic) {
  return [m = memory_of(p), pass = p.pass, atomic, &loops = loops_for<Stored>(set)](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
    auto* values = static_cast<float*>(workspace.data);
    if (pass == ChannelwisePass::scale_backward && atomic) backward<Stored, true>(m, loops, in, out, values);
    else if (pass == ChannelwisePass::scale_backward) backward<Stored, false>(m, loops, in, out, values);
    else forward<Stored>(m, pass == ChannelwisePass::bias_add, loops, in, out, values);
  };
}

}  // namespace

InstructionSet best_instruction_set() {
  return has(InstructionSet::avx512) ? InstructionSet::avx512 : has(InstructionSet::avx2) ? InstructionSet::avx2 : InstructionSet::baseline;
}

namespace {

Result<SimplePlanParts> make_parts(const Problem& problem, InstructionSet set, bool atomic) {
  const auto p = parse_channelwise(problem);
  if (!p) return tl::unexpected(p.error());
  if (!has(set)) return unsupported("this machine lacks the instruction set");
  auto specs = channelwise_specs(*p);
  if (!specs) return tl::unexpected(specs.error());
  const Memory m = memory_of(*p);
  const std::int64_t row = m.blocks() * m.row(), chunks = chunk_count(m.plane);
  const std::int64_t rows = p->pass == ChannelwisePass::bias_add        ? 1
                            : p->pass == ChannelwisePass::scale_forward ? m.images
                                                                        : m.images * (1 + (atomic ? 1 : chunks));
  SimplePlanParts parts{specs->inputs, specs->outputs, sizeof(float) * static_cast<std::size_t>(rows * row), {}, {}};
  if (atomic) parts.notes = contention_notes(chunks);
  parts.alignment_bytes = size_of(p->storage);
  switch (p->storage) {
    case DataType::f16: parts.run = run_of<reduction::StoredF16>(*p, set, atomic); break;
    case DataType::bf16: parts.run = run_of<reduction::StoredBf16>(*p, set, atomic); break;
    default: parts.run = run_of<reduction::StoredF32>(*p, set, atomic);
  }
  return parts;
}

}  // namespace

Result<SimplePlanParts> fixed_order_parts(const Problem& problem, InstructionSet set) { return make_parts(problem, set, false); }

std::unique_ptr<Provider> make_openmp_provider() {
  return std::make_unique<SimpleProvider>(
      "openmp", DeviceKind::cpu,
      std::vector{SimpleAlgorithm{"chunk_atomic", {}, true, [](const Problem& problem, Device&) { return make_parts(problem, best_instruction_set(), true); }}});
}

}  // namespace detbench::channelwise
