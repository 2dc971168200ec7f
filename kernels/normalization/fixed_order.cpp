// Batch norm whose bits are a function of the problem alone. The order: pixels are cut into fixed chunks; within a chunk
// pixel p adds to lane p % 8; the lanes meet in a fixed tree; chunks are added in order. A chunk also gives the sum of
// squared distances from its own mean, so the whole variance is sum(squares) + sum(n*(chunk mean - mean)^2), the
// two-pass formula with one walk over memory instead of two (Chan, Golub, LeVeque 1983).
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/contention.hpp"
#include "kernels/normalization/batch_norm.hpp"
#include "kernels/normalization/cuda_batch_norm.hpp"
#include "kernels/normalization/geometry.hpp"
#include "kernels/normalization/kernels.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::normalization {
namespace {

using Row = float[group];

/// ((0+4)+(2+6)) + ((1+5)+(3+7)) for every channel of a group.
void fold(const float* accumulator, std::int64_t row, std::int64_t width, float* out) {
  for (std::int64_t c = 0; c < width; ++c) {
    const auto lane = [&](int l) { return accumulator[l * row + c]; };
    out[c] = ((lane(0) + lane(4)) + (lane(2) + lane(6))) + ((lane(1) + lane(5)) + (lane(3) + lane(7)));
  }
}

/// Work of one chunk and one group of channels, in any layout.
class ChunkWork {
 public:
  ChunkWork(const Geometry& geometry, const Kernels& kernels) : g_(geometry), k_(kernels) {}

  void statistics(const float* x, std::int64_t chunk, std::int64_t channel, std::int64_t width, float* sums, float* squares) const {
    const auto [begin, end] = range(chunk);
    const auto count = static_cast<float>(end - begin);
    alignas(64) float accumulator[lanes * group] = {};
    alignas(64) float center[group] = {};
    if (g_.block == 1) {
      for (std::int64_t c = 0; c < width; ++c) {
        float lane_sums[lanes] = {}, lane_squares[lanes] = {};
        g_.for_runs(begin, end, channel + c, [&](std::int64_t at, std::int64_t pixels, int lane) { k_.plane_sum(x + at, pixels, lane, lane_sums); });
        fold(lane_sums, 1, 1, sums + c);
        center[c] = sums[c] / count;
        g_.for_runs(begin, end, channel + c, [&](std::int64_t at, std::int64_t pixels, int lane) {
          k_.plane_squares(x + at, pixels, lane, center[c], lane_squares);
        });
        fold(lane_squares, 1, 1, squares + c);
      }
      return;
    }
    const auto w = static_cast<int>(width);
    g_.for_runs(begin, end, channel, [&](std::int64_t at, std::int64_t pixels, int lane) { k_.sum(x + at, g_.stride(), pixels, lane, w, accumulator); });
    fold(accumulator, group, width, sums);
    for (std::int64_t c = 0; c < width; ++c) center[c] = sums[c] / count;
    std::memset(accumulator, 0, sizeof accumulator);
    g_.for_runs(begin, end, channel, [&](std::int64_t at, std::int64_t pixels, int lane) {
      k_.squares(x + at, g_.stride(), pixels, lane, w, center, accumulator);
    });
    fold(accumulator, group, width, squares);
  }

  void gradients(const float* x, const float* dy, std::int64_t chunk, std::int64_t channel, std::int64_t width,
                 const GradientConstants& all, Activation activation, float* kept, float* sum_dy, float* sum_dyx) const {
    const auto [begin, end] = range(chunk);
    if (g_.block == 1) {
      for (std::int64_t c = 0; c < width; ++c) {
        float a[lanes] = {}, b[lanes] = {};
        const std::int64_t i = channel + c;
        g_.for_runs(begin, end, i, [&](std::int64_t at, std::int64_t pixels, int lane) {
          k_.plane_gradients(x + at, dy + at, pixels, lane, all.mean[i], all.scale[i], all.shift[i], activation, kept + at, a, b);
        });
        fold(a, 1, 1, sum_dy + c);
        fold(b, 1, 1, sum_dyx + c);
      }
      return;
    }
    alignas(64) float a[lanes * group] = {}, b[lanes * group] = {};
    const GradientConstants here{all.mean + channel, all.scale + channel, all.shift + channel, nullptr, nullptr, nullptr};
    g_.for_runs(begin, end, channel, [&](std::int64_t at, std::int64_t pixels, int lane) {
      k_.gradients(x + at, dy + at, g_.stride(), pixels, lane, static_cast<int>(width), here, activation, kept + at, a, b);
    });
    fold(a, group, width, sum_dy);
    fold(b, group, width, sum_dyx);
  }

  std::pair<std::int64_t, std::int64_t> range(std::int64_t chunk) const {
    const std::int64_t begin = chunk * g_.chunk_pixels();
    return {begin, std::min(begin + g_.chunk_pixels(), g_.pixels())};
  }

 private:
  const Geometry& g_;
  const Kernels& k_;
};

/// How the chunks of a channel meet: in ascending order, or by atomics in the order in which threads get through. The chunks
/// and everything behind the totals are the same.
enum class Meeting { in_order, atomic };

class ChunkedBatchNorm {
 public:
  ChunkedBatchNorm(const BatchNormProblem& problem, std::string_view layout, const Kernels& kernels, Meeting meeting)
      : g_(make_geometry(problem, layout)), activation_(problem.activation), kernels_(kernels), meeting_(meeting) {}
  std::int64_t chunks() const { return g_.chunks(); }

  /// Two arrays of partial sums, per-channel constants, then two rows of totals that atomics add to.
  std::size_t workspace_bytes() const { return sizeof(float) * static_cast<std::size_t>(2 * g_.chunks() * row() + 8 * row()); }

  void forward(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* variance, float* workspace) const {
    float *sums = workspace, *squares = sums + g_.chunks() * row(), *scale = squares + g_.chunks() * row(), *shift = scale + row();
    float *totals = shift + row(), *spreads = totals + row();
    const ChunkWork work(g_, kernels_);
    const std::int64_t tasks = g_.chunks() * g_.groups();
    const auto count = static_cast<float>(g_.pixels());
    const bool atomic = meeting_ == Meeting::atomic;
    if (atomic) std::fill_n(totals, 2 * row(), 0.0f);
#pragma omp parallel
    {
#pragma omp for schedule(static)
      for (std::int64_t t = 0; t < tasks; ++t) {
        const auto [chunk, channel, width] = task(t);
        float* sum = sums + chunk * row() + channel;
        work.statistics(x, chunk, channel, width, sum, squares + chunk * row() + channel);
        if (atomic) add_atomically(sum, width, totals + channel);
      }
      // What a chunk adds to the spread, given the mean.
      const auto spread_of = [&](std::int64_t k, std::int64_t channel, std::int64_t width, const Row& center, Row& out) {
        const auto [begin, end] = work.range(k);
        const auto n = static_cast<float>(end - begin);
        for (std::int64_t c = 0; c < width; ++c) {
          const float distance = sums[k * row() + channel + c] / n - center[c];
          out[c] = squares[k * row() + channel + c] + n * (distance * distance);
        }
      };
      if (atomic) {
#pragma omp for schedule(static)
        for (std::int64_t t = 0; t < tasks; ++t) {
          const auto [chunk, channel, width] = task(t);
          Row center, here;
          for (std::int64_t c = 0; c < width; ++c) center[c] = totals[channel + c] / count;
          spread_of(chunk, channel, width, center, here);
          add_atomically(here, width, spreads + channel);
        }
      }
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < g_.groups(); ++i) {
        const auto [ignored, channel, width] = task(i);
        Row total = {}, spread = {}, center = {};
        if (atomic) std::copy_n(totals + channel, width, total), std::copy_n(spreads + channel, width, spread);
        for (std::int64_t k = 0; !atomic && k < g_.chunks(); ++k)
          for (std::int64_t c = 0; c < width; ++c) total[c] += sums[k * row() + channel + c];
        for (std::int64_t c = 0; c < width; ++c) center[c] = total[c] / count;
        for (std::int64_t k = 0; !atomic && k < g_.chunks(); ++k) {
          Row here;
          spread_of(k, channel, width, center, here);
          for (std::int64_t c = 0; c < width; ++c) spread[c] += here[c];
        }
        for (std::int64_t c = 0; c < width; ++c) {
          const std::int64_t j = channel + c;
          const float v = spread[c] / count;
          const bool real = j < g_.channels;  // a padding channel becomes 0*x + 0
          scale[j] = real ? gamma[j] / std::sqrt(v + batch_norm_epsilon) : 0.0f;
          shift[j] = real ? beta[j] - center[c] * scale[j] : 0.0f;
          if (real) mean[j] = center[c], variance[j] = v;
        }
      }
      apply(x, y, scale, shift);
    }
  }

  /// With the statistics given; forward()'s arithmetic from there on.
  void inference(const float* x, const float* gamma, const float* beta, const float* mean, const float* variance, float* y, float* workspace) const {
    float *scale = workspace, *shift = scale + row();
    for (std::int64_t j = 0; j < row(); ++j) {
      const bool real = j < g_.channels;
      const Affine affine = real ? affine_of(gamma[j], beta[j], mean[j], variance[j], batch_norm_epsilon) : Affine{0.0f, 0.0f};
      scale[j] = affine.scale, shift[j] = affine.shift;
    }
#pragma omp parallel
    apply(x, y, scale, shift);
  }

  void backward(const float* x, const float* dy, const float* mean, const float* variance, const float* gamma, const float* beta,
                float* dx, float* diff_gamma, float* diff_beta, float* workspace) const {
    float *sums = workspace, *products = sums + g_.chunks() * row(), *constants = products + g_.chunks() * row();
    float *middle = constants, *scale = middle + row(), *shift = scale + row(), *factor = shift + row(), *offset = factor + row(),
          *slope = offset + row(), *totals = slope + row(), *total_products = totals + row();
    const ChunkWork work(g_, kernels_);
    const std::int64_t tasks = g_.chunks() * g_.groups();
    const auto count = static_cast<float>(g_.pixels());
    const bool atomic = meeting_ == Meeting::atomic;
    if (atomic) std::fill_n(totals, 2 * row(), 0.0f);
    const GradientConstants all{middle, scale, shift, factor, offset, slope};
    // Behind swish the sums leave d in dx's memory: its slope is an exponential and a division, dearer than writing and reading
    // d again, while the mask of a ReLU is cheaper.
    const bool kept = activation_ == Activation::swish;
    const float* d = kept ? dx : dy;
    const Activation left = kept ? Activation::none : activation_;
    for (std::int64_t j = 0; j < row(); ++j) {
      const bool real = j < g_.channels;
      middle[j] = real ? mean[j] : 0.0f;
      // The very operations of the forward, so that the mask is the forward's own.
      scale[j] = real ? gamma[j] / std::sqrt(variance[j] + batch_norm_epsilon) : 0.0f;
      shift[j] = real && beta != nullptr ? beta[j] - mean[j] * scale[j] : 0.0f;
    }
#pragma omp parallel
    {
#pragma omp for schedule(static)
      for (std::int64_t t = 0; t < tasks; ++t) {
        const auto [chunk, channel, width] = task(t);
        float *sum = sums + chunk * row() + channel, *sum_of_products = products + chunk * row() + channel;
        work.gradients(x, dy, chunk, channel, width, all, activation_, dx, sum, sum_of_products);
        if (atomic) add_atomically(sum, width, totals + channel), add_atomically(sum_of_products, width, total_products + channel);
      }
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < g_.groups(); ++i) {
        const auto [ignored, channel, width] = task(i);
        Row total = {}, product = {};
        if (atomic) std::copy_n(totals + channel, width, total), std::copy_n(total_products + channel, width, product);
        for (std::int64_t k = 0; !atomic && k < g_.chunks(); ++k)
          for (std::int64_t c = 0; c < width; ++c) {
            total[c] += sums[k * row() + channel + c];
            product[c] += products[k * row() + channel + c];
          }
        for (std::int64_t c = 0; c < width; ++c) {
          const std::int64_t j = channel + c;
          const bool real = j < g_.channels;
          const float inverse = real ? 1.0f / std::sqrt(variance[j] + batch_norm_epsilon) : 0.0f;
          const float dgamma = product[c] * inverse;
          factor[j] = scale[j];
          offset[j] = real ? total[c] / count : 0.0f;
          slope[j] = inverse * (dgamma / count);
          if (real) diff_gamma[j] = dgamma, diff_beta[j] = total[c];
        }
      }
#pragma omp for schedule(static)
      for (std::int64_t t = 0; t < g_.element_tasks(); ++t)
        g_.for_elements(t, [&](std::int64_t at, std::int64_t pixels, std::int64_t channel, std::int64_t width) {
          if (g_.block == 1) {
            const auto j = channel;
            kernels_.plane_apply_gradient(x + at, d + at, dx + at, pixels, middle[j], scale[j], shift[j], factor[j], offset[j], slope[j], left);
          } else {
            const GradientConstants here{middle + channel, scale + channel, shift + channel, factor + channel, offset + channel, slope + channel};
            kernels_.apply_gradient(x + at, d + at, dx + at, g_.stride(), pixels, width, here, left);
          }
        });
    }
  }

 private:
  struct Task {
    std::int64_t chunk, channel, width;
  };
  static void add_atomically(const float* sums, std::int64_t width, float* totals) {
    for (std::int64_t c = 0; c < width; ++c) {
#pragma omp atomic
      totals[c] += sums[c];
    }
  }
  /// Chunk by chunk, all groups of a chunk in a row, so that neighbouring tasks touch neighbouring memory.
  Task task(std::int64_t t) const {
    const std::int64_t channel = t % g_.groups() * g_.group_width();
    return {t / g_.groups(), channel, std::min(g_.group_width(), g_.padded_channels() - channel)};
  }
  /// For a team of threads: y = activation(x*scale + shift).
  void apply(const float* x, float* y, const float* scale, const float* shift) const {
#pragma omp for schedule(static)
    for (std::int64_t t = 0; t < g_.element_tasks(); ++t)
      g_.for_elements(t, [&](std::int64_t at, std::int64_t pixels, std::int64_t channel, std::int64_t width) {
        if (g_.block == 1) kernels_.plane_apply(x + at, y + at, pixels, scale[channel], shift[channel], activation_);
        else kernels_.apply(x + at, y + at, g_.stride(), pixels, width, scale + channel, shift + channel, activation_);
      });
  }
  std::int64_t row() const { return (g_.padded_channels() + group - 1) / group * group; }

  Geometry g_;
  Activation activation_;
  const Kernels& kernels_;
  Meeting meeting_;
};

/// The tensors that are stored in 16 bits, as f32 behind the f32 kernels' own workspace: widening is exact, and the answer is
/// rounded once when it is stored. Padding of blocked layouts is converted with the rest.
class Widened {
 public:
  Widened(DataType storage, const BatchNormSpecs& specs, std::size_t workspace_bytes)
      : f16_(storage == DataType::f16), wide_(storage != DataType::f32), own_bytes_((workspace_bytes + 63) / 64 * 64),
        elements_(specs.inputs[0].layout.elements), sources_(specs.inputs[1].role == "diff_dst" ? 2 : 1) {}
  std::size_t workspace_bytes() const {
    return own_bytes_ + (wide_ ? sizeof(float) * static_cast<std::size_t>(elements_) * static_cast<std::size_t>(sources_ + 1) : 0);
  }
  template <class Run>
  void operator()(std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, Run run) const {
    const auto at = [](const Tensor& t) { return static_cast<float*>(t.region.data); };
    if (!wide_) return run(at(in[0]), at(in[1]), at(out[0]));
    auto* memory = reinterpret_cast<float*>(static_cast<std::byte*>(workspace.data) + own_bytes_);
    float *x = memory, *dy = memory + elements_, *answer = memory + sources_ * elements_;
    for (int source = 0; source < sources_; ++source) {
      const auto* words = static_cast<const std::uint16_t*>(in[static_cast<std::size_t>(source)].region.data);
      float* to = memory + source * elements_;
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < elements_; ++i) to[i] = f16_ ? float_from_f16(words[i]) : float_from_bf16(words[i]);
    }
    run(x, sources_ == 2 ? dy : at(in[1]), answer);
    auto* words = static_cast<std::uint16_t*>(out[0].region.data);
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < elements_; ++i) words[i] = f16_ ? f16_from_float(answer[i]) : bf16_from_float(answer[i]);
  }

 private:
  bool f16_, wide_;
  std::size_t own_bytes_;
  std::int64_t elements_;
  int sources_;
};

Result<SimplePlanParts> make_parts(const Problem& problem, const Kernels& kernels, Meeting meeting) {
  auto p = parse_batch_norm(problem);
  if (!p) return tl::unexpected(p.error());
  // Blocks of 16 wherever the caller leaves the choice: the bits are the same in every layout.
  const std::string layout = p->layout == "blocked" ? "nchw16c" : p->layout;
  auto specs = batch_norm_specs(*p, layout);
  if (!specs) return tl::unexpected(specs.error());
  if (meeting == Meeting::atomic && p->inference) return unsupported("batch norm at inference sums nothing: there is nothing for atomics to do");
  const ChunkedBatchNorm norm(*p, layout, kernels, meeting);
  const Widened widened(p->storage, *specs, norm.workspace_bytes());
  SimplePlanParts parts{specs->inputs, specs->outputs, widened.workspace_bytes(), {}, {{"activation_layout", layout}}};
  if (meeting == Meeting::atomic) parts.notes.merge(contention_notes(norm.chunks()));
  parts.alignment_bytes = sizeof(float);
  const auto at = [](std::span<const Tensor> t, std::size_t i) { return static_cast<float*>(t[i].region.data); };
  if (p->backward)
    parts.run = [norm, widened, at, activated = p->activation != Activation::none](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      widened(in, out, workspace, [&](const float* x, const float* dy, float* dx) {
        norm.backward(x, dy, at(in, 2), at(in, 3), at(in, 4), activated ? at(in, 5) : nullptr, dx, at(out, 1), at(out, 2),
                      static_cast<float*>(workspace.data));
      });
    };
  else if (p->inference)
    parts.run = [norm, widened, at](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      widened(in, out, workspace, [&](const float* x, const float* gamma, float* y) {
        norm.inference(x, gamma, at(in, 2), at(in, 3), at(in, 4), y, static_cast<float*>(workspace.data));
      });
    };
  else
    parts.run = [norm, widened, at](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      widened(in, out, workspace, [&](const float* x, const float* gamma, float* y) {
        norm.forward(x, gamma, at(in, 2), y, at(out, 1), at(out, 2), static_cast<float*>(workspace.data));
      });
    };
  return parts;
}

}  // namespace

Result<SimplePlanParts> make_fixed_order_parts(const Problem& problem, const Kernels& kernels) { return make_parts(problem, kernels, Meeting::in_order); }

std::unique_ptr<Provider> make_openmp_provider() {
  return std::make_unique<SimpleProvider>(
      "openmp", DeviceKind::cpu,
      std::vector{SimpleAlgorithm{"chunk_atomic", {}, true, [](const Problem& problem, Device&) { return make_parts(problem, best_kernels(), Meeting::atomic); }}});
}

std::unique_ptr<Provider> make_fixed_order_provider() {
  return std::make_unique<FixedOrderProvider>(
      "chunks", [](const Problem& problem) { return make_fixed_order_parts(problem, best_kernels()); }, true, cuda_fixed_order());
}

}  // namespace detbench::normalization
