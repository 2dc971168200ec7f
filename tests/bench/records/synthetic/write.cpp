// write_synthetic_result PATH [MACHINE [LAYERS [ARMS]]]: an invented result file for tests in other languages.
#include <cstdio>
#include <cstdlib>

#include "tests/bench/records/synthetic/synthetic_result.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: write_synthetic_result PATH [MACHINE [LAYERS [ARMS]]]\n");
    return 2;
  }
  detbench::synthetic::Shape shape;
  if (argc > 2) shape.machine = argv[2];
  if (argc > 3) shape.layers = std::atoi(argv[3]);
  if (argc > 4) shape.arms = std::atoi(argv[4]);
  const auto written = detbench::write_result_file(detbench::synthetic::make(shape), argv[1], true);
  if (!written) std::fprintf(stderr, "%s\n", written.error().text.c_str());
  return written ? 0 : 1;
}
