// What this machine gave in the same run: its memory (the ops memory_read, memory_write and memory_copy) and its arithmetic
// (fma_rate, and matmul of square matrices). They are the roofs that everything else is held against.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

/// The fastest measured way to move a buffer of one size; picked by the choosing half, published from the other.
struct Ceiling {
  std::string op;  ///< "memory_read", "memory_write", "memory_copy"
  double buffer_bytes = 0;
  double gb_per_s = 0;  ///< of the bytes that move: a copy counts twice its buffer
  std::string algorithm;
  const ComparisonView* view = nullptr;
};

bool is_memory_traffic(const ComparisonView& view);
/// A memory op or fma_rate: it says what the machine can do, not what bits cost.
bool is_machine_rate(const ComparisonView& view);
/// Of one file, in the order of ops and sizes.
std::vector<Ceiling> measured_ceilings(const std::vector<ComparisonView>& views, const ResultFile& file);
/// The one of `op` whose buffer is nearest in size, as a ratio; nullptr: none was measured.
const Ceiling* nearest_ceiling(const std::vector<Ceiling>& ceilings, std::string_view op, double bytes);

/// The fastest measured way to do arithmetic of one kind; picked and published like a Ceiling.
struct ArithmeticCeiling {
  std::string op;     ///< "fma_rate", "matmul"
  std::string types;  ///< "f32_f32_strict", "bf16_f32_strict"
  std::string size;   ///< "n131072_k4096", "m2048_n2048_k2048"
  double gflop_per_s = 0;
  std::string algorithm;
  const ComparisonView* view = nullptr;
};
/// Of one file: fma_rate first, then products by types and rate, fastest first.
std::vector<ArithmeticCeiling> arithmetic_ceilings(const std::vector<ComparisonView>& views, const ResultFile& file);
/// The fastest product of these types ("_dw..." aside). nullptr: none was measured.
const ArithmeticCeiling* product_ceiling(const std::vector<ArithmeticCeiling>& ceilings, std::string_view types);
/// The roof over arithmetic of these types: the fastest product, and in strict f32 fma_rate where that is faster.
const ArithmeticCeiling* peak_of(const std::vector<ArithmeticCeiling>& ceilings, std::string_view types);
/// fma_rate: the roof over kernels that multiply and add in f32 whatever is stored. nullptr: it was not measured.
const ArithmeticCeiling* fma_ceiling(const std::vector<ArithmeticCeiling>& ceilings);

/// "64 KiB", "1 GiB", "2.5 MiB".
std::string bytes_in_words(double bytes);
/// Bytes of the largest CPU cache that the file's manifest names; nullopt: it names none.
std::optional<double> last_level_cache_bytes(const ResultFile& file);

}  // namespace detbench::analysis
