// The gradient of bilinear resizing on a CPU: gathered in fixed order, or scattered by atomics.
#include <algorithm>

#include "kernels/contention.hpp"
#include "kernels/resize/parts.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::resize {
namespace {

/// What every output reads along a dimension; made when the plan is, because a run does not divide.
std::vector<Neighbours> all_neighbours(std::int32_t inputs, std::int32_t outputs) {
  std::vector<Neighbours> all;
  for (std::int32_t o = 0; o < outputs; ++o) all.push_back(neighbours_of(o, inputs, outputs));
  return all;
}
std::vector<Range> all_ranges(std::int32_t inputs, std::int32_t outputs) {
  std::vector<Range> all;
  for (std::int32_t i = 0; i < inputs; ++i) all.push_back(outputs_over(i, inputs, outputs));
  return all;
}
struct Tables {
  std::vector<Neighbours> rows, columns;
  std::vector<Range> over_row, over_column;
  explicit Tables(const Sizes& s)
      : rows(all_neighbours(s.ih, s.oh)), columns(all_neighbours(s.iw, s.ow)), over_row(all_ranges(s.ih, s.oh)), over_column(all_ranges(s.iw, s.ow)) {}
};

/// Channels that are summed together, in registers.
constexpr std::int64_t group = 64;

/// Order: each input takes its outputs in row-major order. Rows of inputs are shared out among the threads.
template <class Stored>
void gather(const Sizes& s, const Tables& tables, const typename Stored::Stored* dy, float* dx) {
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < s.images * s.ih; ++task) {
    const std::int64_t n = task / s.ih;
    const auto y = static_cast<std::int32_t>(task % s.ih);
    const Range rows = tables.over_row[static_cast<std::size_t>(y)];
    // Calls term(weight, output pixel) for the outputs that read pixel x, in order.
    const auto for_outputs = [&](std::int32_t x, auto&& term) __attribute__((always_inline)) {
      const Range columns = tables.over_column[static_cast<std::size_t>(x)];
      for (std::int32_t r = rows.first; r < rows.last; ++r) {
        const float row = weight_of(tables.rows[static_cast<std::size_t>(r)], y);
        for (std::int32_t c = columns.first; c < columns.last; ++c)
          term(row * weight_of(tables.columns[static_cast<std::size_t>(c)], x), (n * s.oh + r) * s.ow + c);
      }
    };
    for (std::int32_t x = 0; x < s.iw; ++x) {
      if (s.channels == 1) {
        float sum = 0;
        for_outputs(x, [&](float weight, std::int64_t output) { sum += weight * Stored::widen(dy[output]); });
        dx[task * s.iw + x] = sum;
        continue;
      }
      for (std::int64_t first = 0; first < s.channels; first += group) {
        const std::int64_t width = std::min(group, s.channels - first);
        float sums[group] = {};
        for_outputs(x, [&](float weight, std::int64_t output) {
          const auto* gradients = dy + output * s.channels + first;
          for (std::int64_t i = 0; i < width; ++i) sums[i] += weight * Stored::widen(gradients[i]);
        });
        std::copy_n(sums, width, dx + (task * s.iw + x) * s.channels + first);
      }
    }
  }
}

/// Order: outputs hand their gradients down in row-major order inside a thread's share of rows; inputs that rows of several
/// threads read receive them as those get through.
template <class Stored>
void scatter(const Sizes& s, const Tables& tables, const typename Stored::Stored* dy, float* dx) {
  const std::int64_t inputs = s.inputs();
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < inputs; ++i) dx[i] = 0.0f;
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < s.images * s.oh; ++task) {
      const std::int64_t n = task / s.oh;
      const Neighbours& rows = tables.rows[static_cast<std::size_t>(task % s.oh)];
      for (std::int32_t x = 0; x < s.ow; ++x) {
        const Neighbours& columns = tables.columns[static_cast<std::size_t>(x)];
        const auto* gradients = dy + (task * s.ow + x) * s.channels;
        const auto hand = [&](std::int32_t r, std::int32_t c, float weight) {
          float* target = dx + ((n * s.ih + r) * s.iw + c) * s.channels;
          for (std::int64_t i = 0; i < s.channels; ++i) {
            const float share = weight * Stored::widen(gradients[i]);
#pragma omp atomic
            target[i] += share;
          }
        };
        hand(rows.first, columns.first, rows.own * columns.own);
        if (columns.next > 0) hand(rows.first, columns.first + 1, rows.own * columns.next);
        if (rows.next > 0) hand(rows.first + 1, columns.first, rows.next * columns.own);
        if (rows.next > 0 && columns.next > 0) hand(rows.first + 1, columns.first + 1, rows.next * columns.next);
      }
    }
  }
}

Result<SimplePlanParts> make_parts(const Problem& problem, bool atomic) {
  const auto p = parse_resize(problem);
  if (!p) return tl::unexpected(p.error());
  auto parts = resize_parts(*p);
  if (!parts) return parts;
  if (atomic) parts->notes = contention_notes(most_outputs_over(p->sizes()));
  with_stored_type(p->storage, [&](auto stored) {
    using Stored = decltype(stored);
    parts->run = [sizes = p->sizes(), tables = Tables(p->sizes()), atomic](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
      const auto* dy = static_cast<const typename Stored::Stored*>(in[0].region.data);
      auto* dx = static_cast<float*>(out[0].region.data);
      if (atomic) scatter<Stored>(sizes, tables, dy, dx);
      else gather<Stored>(sizes, tables, dy, dx);
    };
  });
  return parts;
}

}  // namespace

Result<SimplePlanParts> cpu_gather(const Problem& problem) { return make_parts(problem, false); }

std::unique_ptr<Provider> make_openmp_provider() {
  return std::make_unique<SimpleProvider>(
      "openmp", DeviceKind::cpu,
      std::vector<SimpleAlgorithm>{{"scatter", {}, true, [](const Problem& problem, Device&) { return make_parts(problem, true); }}});
}

}  // namespace detbench::resize
