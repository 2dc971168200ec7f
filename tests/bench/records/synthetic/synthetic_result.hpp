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
  bool train_step = true;
  bool oddities = true;  ///< rows that were unsupported, crashed, incorrect, slow, untested, with a broken claim
  double noise = 0.01;   ///< of times, relative
  bool busy = false;     ///< over a third of the blocks have foreign load
};

/// Deterministic in `shape`. Truth that tests rely on: within a convolution comparison arm i takes
/// (1 + 0.1 i) times the base time; odd arms show no difference anywhere, even ones differ in `partition`.
ResultFile make(const Shape& shape);

}  // namespace detbench::synthetic
