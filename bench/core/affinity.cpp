#include "bench/core/affinity.hpp"

#include <omp.h>
#include <sched.h>

#include <vector>

namespace detbench {

void release_from_binding() {
  const int places = omp_get_num_places();  // 0 without a binding: then nothing has narrowed the mask
  if (places == 0) return;
  int largest = 0;
  std::vector<int> all;
  for (int place = 0; place < places; ++place) {
    std::vector<int> ids(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    for (const int id : ids) largest = id > largest ? id : largest;
    all.insert(all.end(), ids.begin(), ids.end());
  }
  std::vector<unsigned char> storage(CPU_ALLOC_SIZE(static_cast<std::size_t>(largest) + 1));
  auto* mask = reinterpret_cast<cpu_set_t*>(storage.data());
  for (const int id : all) CPU_SET_S(static_cast<std::size_t>(id), storage.size(), mask);
  sched_setaffinity(0, storage.size(), mask);  // best effort: refused, the thread keeps its narrower mask
}

}  // namespace detbench
