// Updates parted by ranges of bins, stably: the two-pass partition behind the fast fixed orders of the CPU.
//
// A range is so many bins that what is added up in it stays in the nearest caches. Pass one counts each thread's updates
// per range; pass two writes every update beside the others of its range, those of earlier threads first, and a thread's
// own in their order. So the updates of a range lie in the order of their numbers, whatever the number of threads and of
// ranges, and the additions behind it are free of atomics and of misses. Memory is read and written in streams only.
#pragma once

#include <omp.h>

#include <cstdint>

#include "kernels/scatter_add/updates.hpp"

namespace detbench::scatter_add {

/// What travels with an update: its value where rows have one, else its number (Payload std::uint32_t).
template <class Payload>
struct Entry {
  std::uint32_t bin;
  Payload payload;
};

struct Ranges {
  int shift = 0;           ///< range = bin >> shift
  std::int32_t count = 1;  ///< ranges
  std::int32_t bins() const { return 1 << shift; }
};
/// Ranges of 2^11 bins, so that a range's sums and counters share the nearest cache with the streams: larger where there
/// would be over 1024 ranges, since every one is an open stream of pass two; smaller where threads would get fewer than
/// eight each.
Ranges choose_ranges(std::int32_t bins, int threads);

/// Where the parts of a partition lie in a workspace.
template <class Payload>
struct PartitionSpace {
  Entry<Payload>* entries;
  std::uint32_t* places;  ///< threads x ranges: counts, then where a thread's next update of a range goes
  std::uint32_t* begins;  ///< ranges + 1

  PartitionSpace(Carver& carver, std::int64_t n, Ranges ranges, int threads)
      : entries(carver.take<Entry<Payload>>(n)),
        places(carver.take<std::uint32_t>(std::int64_t{ranges.count} * threads)),
        begins(carver.take<std::uint32_t>(ranges.count + 1)) {}
};

inline const float* read_payloads(const ScatterCall& call, std::int64_t first, int count, float* buffer) {
  return read_values(call, first, count, buffer);
}
inline const double* read_payloads(const ScatterCall& call, std::int64_t first, int count, double* buffer) {
  return read_values(call, first, count, buffer);
}
inline const std::uint32_t* read_payloads(const ScatterCall&, std::int64_t first, int count, std::uint32_t* buffer) {
  for (int k = 0; k < count; ++k) buffer[k] = static_cast<std::uint32_t>(first + k);
  return buffer;
}

/// Called by every thread of a team; when it returns, all entries are in place.
template <class Payload>
void part_updates(const ScatterCall& call, Ranges ranges, const PartitionSpace<Payload>& space) {
  const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
  const Share updates = share_of(call.n, thread, team);
  std::uint32_t* own = space.places + thread * ranges.count;
  std::int32_t bins[block_updates];
  std::fill(own, own + ranges.count, 0u);
  for (std::int64_t begin = updates.first; begin < updates.last; begin += block_updates) {
    const int count = static_cast<int>(std::min<std::int64_t>(block_updates, updates.last - begin));
    find_targets(call.targets, begin, count, bins);
    for (int k = 0; k < count; ++k) ++own[bins[k] >> ranges.shift];
  }
#pragma omp barrier
#pragma omp single
  {
    std::uint32_t place = 0;
    for (std::int32_t range = 0; range < ranges.count; ++range) {
      space.begins[range] = place;
      for (std::int64_t owner = 0; owner < team; ++owner) {
        std::uint32_t& next = space.places[owner * ranges.count + range];
        const std::uint32_t counted = next;
        next = place;
        place += counted;
      }
    }
    space.begins[ranges.count] = place;
  }
  Payload buffer[block_updates];
  for (std::int64_t begin = updates.first; begin < updates.last; begin += block_updates) {
    const int count = static_cast<int>(std::min<std::int64_t>(block_updates, updates.last - begin));
    find_targets(call.targets, begin, count, bins);
    const Payload* payloads = read_payloads(call, begin, count, buffer);
    for (int k = 0; k < count; ++k)
      space.entries[own[bins[k] >> ranges.shift]++] = {static_cast<std::uint32_t>(bins[k]), payloads[k]};
  }
#pragma omp barrier
}

}  // namespace detbench::scatter_add
