// Invented result files for tests of reading, analysis and drawing. Every name says "synthetic"; nothing here was
// measured, and nothing made from it may leave a test.
#pragma once

#include "bench/records/record.hpp"

namespace detbench::synthetic {

struct Shape {
  std::string machine = "synthetic machine";
  std::uint64_t seed = 1;
  int layers = 5;  ///< per direction (forward, wgrad)
  int arms = 4;    ///< per layer; every second one differs under another thread count
  std::uint32_t blocks = 10;
  bool reductions = true;
  bool contention = false;  ///< memory ops and scatter-adds: see add_contention()
  bool train_step = true;
  bool oddities = true;  ///< rows that were unsupported, crashed, incorrect, slow, untested, with a broken claim
  double noise = 0.01;   ///< of times, relative
  bool busy = false;     ///< over a third of the blocks have foreign load
};

/// Deterministic in `shape`. Truth that tests rely on: within a convolution comparison arm i takes
/// (1 + 0.1 i) times the base time; odd arms show no difference anywhere, even ones differ in `partition`.
/// With `contention`, memory_read gives 20 GB/s and memory_copy 16 GB/s at 64 MiB; sums of 2^26 f32 run at 18 GB/s (an
/// unordered one), 17 (fixed_tree), 15 (order_independent); scatter-adds of 2^20 updates into 2^16, 2^10 and 2^4 bins have
/// an atomic arm and a fixed order that takes 1.5, 1 and 0.5 times as long, and one with the layout `pairs` in which none
/// can show. Errors against exact sums: 4 ULP fixed, 8 ULP (6 to 12) atomic; the sum named wide has them the other way round.
ResultFile make(const Shape& shape);

}  // namespace detbench::synthetic
