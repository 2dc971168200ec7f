#include "kernels/pooling/pooling.hpp"

#include <cstring>

#include "kernels/contention.hpp"
#include "kernels/pooling/global_average.hpp"
#include "kernels/pooling/window_parts.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

using pooling::average_lanes;
using Pool = pooling::GlobalAverage;

/// Calls write(place in y, share of the mean) for the pixels [start, end) of one image and one row of channels: pixel
/// start + i adds to lane i % 8.
template <class Write>
void average_rows(const Pool& g, const float* x, std::int64_t task, std::int64_t start, std::int64_t end, Write&& write) {
  const std::int64_t n = task / g.rows(), first = task % g.rows() * g.row();
  const float* base = x + task * g.plane() * g.row();
  constexpr std::int64_t width = 64;
  for (std::int64_t c0 = 0; c0 < g.row(); c0 += width) {
    const std::int64_t w = std::min(width, g.row() - c0);
    float sums[average_lanes][width] = {};
    for (std::int64_t p = start; p < end; ++p)
      for (std::int64_t c = 0; c < w; ++c) sums[(p - start) % average_lanes][c] += base[p * g.row() + c0 + c];
    for (std::int64_t c = 0; c < w && first + c0 + c < g.channels; ++c)
      write(n * g.channels + first + c0 + c, (((sums[0][c] + sums[4][c]) + (sums[2][c] + sums[6][c])) +
                                              ((sums[1][c] + sums[5][c]) + (sums[3][c] + sums[7][c]))) / static_cast<float>(g.plane()));
  }
}

void forward(const Pool& g, const float* x, float* y) {
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < g.images * g.rows(); ++task)
    average_rows(g, x, task, 0, g.plane(), [&](std::int64_t at, float mean) { y[at] = mean; });
}

/// Order: shares of a mean, over the pixels that a block of the GPU's atomic form takes, meet as threads get through. All
/// shares of a part before those of the next, so that neighbouring shares fall to different threads.
void forward_atomic(const Pool& g, const float* x, float* y) {
  const std::int64_t pixels = pooling::pixels_per_block(g.plane()), parts = (g.plane() + pixels - 1) / pixels, rows = g.images * g.rows();
  std::fill_n(y, g.images * g.channels, 0.0f);
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < parts * rows; ++task)
    average_rows(g, x, task % rows, task / rows * pixels, std::min(g.plane(), (task / rows + 1) * pixels), [&](std::int64_t at, float share) {
#pragma omp atomic
      y[at] += share;
    });
}

void backward(const Pool& g, const float* dy, float* dx) {
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < g.images * g.rows(); ++task) {
    const std::int64_t n = task / g.rows(), first = task % g.rows() * g.row();
    float* base = dx + task * g.plane() * g.row();
    for (std::int64_t c = 0; c < g.row(); ++c)  // padding channels become zero
      base[c] = first + c < g.channels ? dy[n * g.channels + first + c] / static_cast<float>(g.plane()) : 0.0f;
    for (std::int64_t p = 1; p < g.plane(); ++p) std::memcpy(base + p * g.row(), base, sizeof(float) * static_cast<std::size_t>(g.row()));
  }
}

struct Parsed {
  Pool pool;
  TensorSpec activation, matrix;
};

class PoolingOperation final : public SimpleOperation {
 public:
  PoolingOperation(std::string op, bool is_backward, const AlgorithmSearch& search) : SimpleOperation(std::move(op)), backward_(is_backward) {
    set_batch_field("mb");
    add_provider(std::make_unique<FixedOrderProvider>(
        "lanes",
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto p = parse_for_run(problem);
          if (!p) return tl::unexpected(p.error());
          auto parts = parts_of(*p);
          parts.run = [pool = p->pool, back = backward_](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
            (back ? backward : forward)(pool, static_cast<const float*>(in[0].region.data), static_cast<float*>(out[0].region.data));
          };
          return parts;
        },
        true,
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto p = parse_for_run(problem);
          if (!p) return tl::unexpected(p.error());
          return pooling::cuda_global_average_parts(p->pool, backward_, parts_of(*p));
        }));
    // Backward every element has one contribution: there is nothing to add up by atomics.
    if (!backward_)
      add_provider(std::make_unique<SimpleProvider>(
          "cuda_atomic", DeviceKind::cuda,
          std::vector<SimpleAlgorithm>{{"block_then_atomic", {}, true, [this](const Problem& problem, Device&) -> Result<SimplePlanParts> {
                                          auto p = parse_for_run(problem);
                                          if (!p) return tl::unexpected(p.error());
                                          auto parts = parts_of(*p);
                                          parts.notes = meeting(p->pool);
                                          return pooling::cuda_atomic_global_average_parts(p->pool, std::move(parts));
                                        }}}));
    const auto specs = [this](const Problem& problem) -> Result<SimplePlanParts> {
      auto p = parse_for_run(problem);
      if (!p) return tl::unexpected(p.error());
      return parts_of(*p);
    };
    add_provider(pooling::make_cudnn_legacy_global_average_provider(backward_, specs));
    add_provider(pooling::make_cudnn_graph_global_average_provider(backward_, specs, search));
    if (!backward_)
      add_provider(std::make_unique<SimpleProvider>(
          "openmp", DeviceKind::cpu, std::vector<SimpleAlgorithm>{{"chunk_atomic", {}, true, [this](const Problem& problem, Device&) -> Result<SimplePlanParts> {
                                                                     auto p = parse_for_run(problem);
                                                                     if (!p) return tl::unexpected(p.error());
                                                                     auto parts = parts_of(*p);
                                                                     parts.notes = meeting(p->pool);
                                                                     parts.run = [pool = p->pool](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
                                                                       forward_atomic(pool, static_cast<const float*>(in[0].region.data), static_cast<float*>(out[0].region.data));
                                                                     };
                                                                     return parts;
                                                                   }}}));
  }
  bool has_exact_fill() const override { return false; }  // the division rounds
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    if (auto p = parse_for_run(problem); !p) return tl::unexpected(p.error());
    auto p = parse(problem, "nhwc");
    if (!p) return tl::unexpected(p.error());
    const auto elements = static_cast<double>(element_count(p->activation.shape));
    SimpleCase c;
    c.inputs = {backward_ ? p->matrix : p->activation};
    c.outputs = {backward_ ? p->activation : p->matrix};
    c.cost = {elements, 4 * elements};
    c.evaluate = [pool = p->pool, back = backward_](const std::vector<std::vector<double>>& in) {
      const auto plane = static_cast<double>(pool.plane());
      const std::size_t per_image = pool.plane() * pool.channels;
      Expected e;
      const auto index = [&](std::size_t i) { return i / per_image * pool.channels + i % pool.channels; };
      if (back) {
        for (std::size_t i = 0; i < pool.images * per_image; ++i) {
          e.value.push_back(in[0][index(i)] / plane);
          e.bound.push_back(unit_roundoff_f32 * (1 + 0x1p-20) * std::abs(e.value.back()));
        }
      } else {
        e.value.assign(pool.images * pool.channels, 0), e.bound = e.value;
        for (std::size_t i = 0; i < in[0].size(); ++i) e.value[index(i)] += in[0][i] / plane, e.bound[index(i)] += std::abs(in[0][i]) / plane;
        for (double& b : e.bound) b *= unit_roundoff_f32 * (4 + 2 * std::sqrt(plane));
      }
      return std::vector<Expected>{std::move(e)};
    };
    return c;
  }

 private:
  /// Shares of one mean that the atomic forms add.
  static std::map<std::string, std::string> meeting(const Pool& g) {
    const std::int64_t pixels = pooling::pixels_per_block(g.plane());
    return contention_notes((g.plane() + pixels - 1) / pixels);
  }
  /// In the layout that ours takes: "blocked" is nchw16c.
  Result<Parsed> parse_for_run(const Problem& problem) const {
    return parse(problem, problem.layout == "blocked" ? "nchw16c" : problem.layout);
  }
  SimplePlanParts parts_of(const Parsed& p) const {
    SimplePlanParts parts;
    parts.alignment_bytes = sizeof(float);  // element by element
    parts.inputs = {backward_ ? p.matrix : p.activation};
    parts.outputs = {backward_ ? p.activation : p.matrix};
    return parts;
  }
  Result<Parsed> parse(const Problem& problem, std::string_view layout_name) const {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    auto f = read_shape(problem.shape, {{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"h", 1, 1 << 14}, {"w", 1, 1 << 14}});
    if (!f) return tl::unexpected(f.error());
    const Shape shape{(*f)[0], (*f)[2], (*f)[3], (*f)[1]}, matrix{(*f)[0], (*f)[1]};
    if (static_cast<double>(shape[0]) * static_cast<double>(shape[1] * shape[2]) * static_cast<double>(shape[3]) > 0x1p36)
      return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
    auto layout = activation_layout(shape, layout_name);
    if (!layout) return tl::unexpected(layout.error());
    const std::int64_t block = layout_name == "nhwc" ? 0 : layout_name == "nchw" ? 1 : layout_name == "nchw8c" ? 8 : 16;
    return Parsed{{shape[0], shape[1], shape[2], shape[3], block},
                  {backward_ ? "diff_src" : "src", DataType::f32, shape, *layout},
                  {backward_ ? "diff_dst" : "dst", DataType::f32, matrix, canonical_layout(matrix)}};
  }
  bool backward_;
};

}  // namespace

std::int64_t pooling::pixels_per_block(std::int64_t plane) { return std::max<std::int64_t>(16, (plane + 63) / 64); }

std::vector<std::unique_ptr<Operation>> make_pooling_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  operations.push_back(std::make_unique<PoolingOperation>("global_avg_pool_fwd", false, search));
  operations.push_back(std::make_unique<PoolingOperation>("global_avg_pool_bwd", true, search));
  for (auto op : pooling::all_window_ops) operations.push_back(pooling::make_window_pooling_operation(op, search));
  return operations;
}

Problem global_avg_pool_problem(bool backward, std::int64_t batch, std::int64_t channels, std::int64_t height,
                                std::int64_t width, std::string layout) {
  return {backward ? "global_avg_pool_bwd" : "global_avg_pool_fwd",
          format_shape({{"mb", std::to_string(batch)}, {"c", std::to_string(channels)}, {"h", std::to_string(height)}, {"w", std::to_string(width)}}),
          "f32_f32_strict", std::move(layout)};
}

}  // namespace detbench
