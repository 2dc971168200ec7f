// Segmented sums whose order of additions in each segment is a function of its length alone.
#include "kernels/segmented_sum/chunk_nodes.hpp"

namespace detbench::segmented_sum {
namespace {

/// One thread per segment, from left to right: what a reader would write down. The threads take segments as they come; a
/// long one keeps a thread busy alone.
struct InOrder {
  template <class S>
  static void run(const Call<S>& call) {
#pragma omp parallel for schedule(dynamic, 64)
    for (std::int64_t s = 0; s < call.segments.count; ++s) {
      typename Call<S>::Sum sum = 0;
      const std::int64_t end = call.segments.offset(s + 1);
      for (std::int64_t i = call.segments.offset(s); i < end; ++i) sum += reduction::widened(call.x[i]);
      call.out[s] = reduction::canonical_nan(sum);
    }
  }
};

/// The fixed tree (kernels/reduction/fixed_tree.hpp) in each segment, its first element being the tree's first: chunks of 2048,
/// 64 lanes, neighbours joined level by level. Long segments are shared among threads along the tree's own nodes.
template <class Lane, class S>
void tree(const Call<S>& call) {
  using Node = typename Lane::Node;
  const Windows windows{call.segments.n, cpu_window};
  auto* places = static_cast<Node*>(call.workspace);
#pragma omp parallel
  {
    // Dynamic, because windows differ in how many segments they hold; who takes which cannot matter.
#pragma omp for schedule(dynamic)
    for (std::int64_t window = 0; window < windows.count(); ++window)
      visit_window(
          call.segments, windows, window,
          [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
            call.out[s] = length == 0 ? typename Call<S>::Sum(0) : finished<typename Call<S>::Sum>(segment_node<Lane>(call.x + begin, length, call.isa));
          },
          [&](std::int64_t, std::int64_t place, std::int64_t begin, std::int64_t length, std::int64_t) {
            places[place] = window_node<Lane>(call.x + begin, length, call.isa);
          });
#pragma omp for schedule(dynamic)
    for (std::int64_t window = 0; window < windows.count(); ++window) {
      const std::int64_t s = long_segment_of(call.segments, windows, window);
      if (s < 0) continue;
      reduction::PairJoiner<Node> joiner;
      for (std::int64_t p = 0; p < windows.pieces(call.segments.length(s)); ++p) joiner.add(places[Windows::place_of_piece(window, p)]);
      call.out[s] = finished<typename Call<S>::Sum>(joiner.root());
    }
  }
}

struct Tree {
  template <class S>
  static void run(const Call<S>& call) {
    tree<Plain<S>>(call);
  }
};
/// Kahan's compensated sum in each lane of a chunk.
struct Kahan {
  template <class S>
  static void run(const Call<S>& call) {
    tree<reduction::KahanLane<typename Call<S>::Sum>>(call);
  }
};
/// f64 lanes and nodes, rounded to f32 once.
struct Wide {
  template <class S>
  static void run(const Call<S>& call) {
    if constexpr (reduction::has_wide<reduction::Elements<S>>) tree<reduction::WideLane>(call);
  }
};

std::size_t place_bytes(const SegmentedProblem& problem, std::size_t node) {
  return node * static_cast<std::size_t>(Windows{problem.n, cpu_window}.places());
}

}  // namespace

Result<SimplePlanParts> segment_tree(const SegmentedProblem& problem, reduction::Isa isa) {
  return cpu_parts<Tree>(problem, isa, place_bytes(problem, size_of(problem.accumulator)));
}
Result<SimplePlanParts> row_in_order(const SegmentedProblem& problem, reduction::Isa isa) { return cpu_parts<InOrder>(problem, isa, 0); }
Result<SimplePlanParts> kahan(const SegmentedProblem& problem, reduction::Isa isa) {
  return cpu_parts<Kahan>(problem, isa, place_bytes(problem, sizeof(reduction::CompensatedNode)));
}
Result<SimplePlanParts> f64_accumulator(const SegmentedProblem& problem, reduction::Isa isa) {
  if (problem.accumulator == DataType::f64) return unsupported("f64_accumulator needs a type wider than the accumulator, and f64 has none here");
  return cpu_parts<Wide>(problem, isa, place_bytes(problem, sizeof(double)));
}

std::unique_ptr<Provider> make_fixed_order_provider() {
  return std::make_unique<SimpleProvider>(
      "fixed_order", std::nullopt,
      std::vector<SimpleAlgorithm>{by_construction("segment_tree", "the fixed tree in each segment", segment_tree, cuda_segment_tree),
                                   by_construction("row_in_order", "each segment from left to right", row_in_order, cuda_row_in_order),
                                   by_construction("kahan", "compensated lanes, fixed tree in each segment", kahan, nullptr),
                                   by_construction("f64_accumulator", "the fixed tree in f64 in each segment", f64_accumulator, nullptr)});
}

}  // namespace detbench::segmented_sum
