// What this machine's memory gave in the same run (the ops memory_read, memory_write and memory_copy): the roofs that
// reductions are held against.
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
/// Of one file, in the order of ops and sizes.
std::vector<Ceiling> measured_ceilings(const std::vector<ComparisonView>& views, const ResultFile& file);
/// The one of `op` whose buffer is nearest in size, as a ratio; nullptr: none was measured.
const Ceiling* nearest_ceiling(const std::vector<Ceiling>& ceilings, std::string_view op, double bytes);

/// "64 KiB", "1 GiB", "2.5 MiB".
std::string bytes_in_words(double bytes);
/// Bytes of the largest CPU cache that the file's manifest names; nullopt: it names none.
std::optional<double> last_level_cache_bytes(const ResultFile& file);

}  // namespace detbench::analysis
