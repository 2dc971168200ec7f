// Segmented sums that have no order: exact integer accumulation in each segment, rounded once. The pieces of long segments
// join by integer atomics, on purpose: nothing of that can reach the bits.
#include "kernels/reduction/exact_sum.hpp"
#include "kernels/segmented_sum/segmented_problem.hpp"

namespace detbench::segmented_sum {
namespace {

/// Window by window (kernels/reduction/window.hpp), or each element by itself.
enum class Way { windows, each };

template <Way way, class S>
void add_to(reduction::ExactSum<reduction::Elements<S>>& sum, const S* x, std::int64_t n, reduction::Isa isa) {
  if constexpr (way == Way::windows) sum.add_windows({x}, n, isa);
  else sum.add_each({x}, n);
}

template <class Sum>
Sum rounded_segment(std::int64_t* slots) {
  slots[reduction::Superaccumulator<Sum>::not_negative_zero_slot] = 1;  // the +0 that every segment begins with
  return reduction::rounded_sum<Sum>(slots);
}

/// Segments this short are deposited without the accumulator that larger ones need, which costs as much as clearing it.
constexpr std::int64_t few_elements = 64;

template <Way way>
struct Exact {
  template <class S>
  static void run(const Call<S>& call) {
    using Sum = typename Call<S>::Sum;
    using Slots = reduction::Superaccumulator<Sum>;
    const Windows windows{call.segments.n, cpu_window};
    // One shared accumulator for the long segment that begins in a window, if one does.
    auto* shared = static_cast<std::int64_t*>(call.workspace);
#pragma omp parallel
    {
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < windows.count() * Slots::slots; ++i) shared[i] = 0;
#pragma omp for schedule(dynamic)
      for (std::int64_t window = 0; window < windows.count(); ++window)
        visit_window(
            call.segments, windows, window,
            [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
              std::int64_t slots[Slots::slots] = {};
              if (length < few_elements) {
                const reduction::Elements<S> few{call.x + begin};
                for (std::int64_t i = 0; i < length; ++i) reduction::deposit_summand(few, i, [&](int slot, std::int64_t amount) { slots[slot] += amount; });
              } else {
                reduction::ExactSum<reduction::Elements<S>> sum;
                add_to<way>(sum, call.x + begin, length, call.isa);
                sum.join_into(slots);
              }
              call.out[s] = rounded_segment<Sum>(slots);
            },
            [&](std::int64_t, std::int64_t, std::int64_t begin, std::int64_t length, std::int64_t first_window) {
              reduction::ExactSum<reduction::Elements<S>> sum;
              add_to<way>(sum, call.x + begin, length, call.isa);
              sum.join_into(shared + first_window * Slots::slots);
            });
#pragma omp for schedule(static)
      for (std::int64_t window = 0; window < windows.count(); ++window)
        if (const std::int64_t s = long_segment_of(call.segments, windows, window); s >= 0) call.out[s] = rounded_segment<Sum>(shared + window * Slots::slots);
    }
  }
};

std::size_t accumulator_bytes(const SegmentedProblem& problem) {
  const auto slots = problem.accumulator == DataType::f64 ? reduction::Superaccumulator<double>::slots : reduction::Superaccumulator<float>::slots;
  return sizeof(std::int64_t) * static_cast<std::size_t>(slots * Windows{problem.n, cpu_window}.count());
}

}  // namespace

Result<SimplePlanParts> exact_window(const SegmentedProblem& problem, reduction::Isa isa) {
  return cpu_parts<Exact<Way::windows>>(problem, isa, accumulator_bytes(problem));
}
Result<SimplePlanParts> superaccumulator(const SegmentedProblem& problem, reduction::Isa isa) {
  return cpu_parts<Exact<Way::each>>(problem, isa, accumulator_bytes(problem));
}

std::unique_ptr<Provider> make_order_independent_provider() {
  return std::make_unique<SimpleProvider>(
      "order_independent", std::nullopt,
      std::vector<SimpleAlgorithm>{by_construction("exact_window", "exact integer sum in each segment, rounded once", exact_window, cuda_exact_window),
                                   by_construction("superaccumulator", "exact integer sum in each segment, rounded once", superaccumulator, nullptr)});
}

}  // namespace detbench::segmented_sum
