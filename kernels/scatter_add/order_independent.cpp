// A scatter-add without an order: each bin is a superaccumulator, updated by integer atomics as threads get through and
// rounded once.
#include <algorithm>

#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/scatter_add/scatter_problem.hpp"

namespace detbench::scatter_add {
namespace {

using Slots = reduction::Superaccumulator<float>;
static_assert((std::int64_t{1} << 30) <= Slots::deposits_before_carry,
              "all updates may meet in one bin without a carry");

Status superaccumulator(const ScatterCall& call) {
  auto* bins = static_cast<std::int64_t*>(call.workspace);
#pragma omp parallel num_threads(call.threads)
  {
#pragma omp for schedule(static)
    for (std::int32_t bin = 0; bin < call.bins; ++bin) {
      std::int64_t* slots = bins + std::int64_t{bin} * Slots::slots;
      std::fill(slots, slots + Slots::slots, 0);
      slots[Slots::not_negative_zero_slot] = 1;  // the +0 that every bin begins with
    }
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < call.n; ++i) {
      std::int64_t* slots = bins + std::int64_t{call.bin_of(i)} * Slots::slots;
      reduction::deposit<float>(call.values[i], [slots](int slot, std::int64_t amount) {
        std::int64_t& target = slots[slot];
#pragma omp atomic
        target += amount;
      });
    }
#pragma omp for schedule(static)
    for (std::int32_t bin = 0; bin < call.bins; ++bin)
      call.out[bin] = reduction::rounded_sum<float>(bins + std::int64_t{bin} * Slots::slots);
  }
  return {};
}

}  // namespace

std::unique_ptr<Provider> make_order_independent_scatters() {
  std::vector<reduction::TableRow> rows;
  rows.push_back(
      scatter_row({"superaccumulator", reduction::claim_by_construction("exact integer sum in each bin, rounded once"),
                   superaccumulator, accumulators_bytes}));
  return reduction::make_table_provider("order_independent", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::scatter_add
