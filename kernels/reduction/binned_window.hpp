// The binned sum of binned_sum.hpp on a CPU, vectorized: a private state that one thread fills and joins with others'.
#pragma once

#include <cstdint>

#include "kernels/reduction/binned_sum.hpp"
#include "kernels/reduction/isa.hpp"

namespace detbench::reduction {

template <class Source>
class BinnedSum {
 public:
  using A = binned_type<Source>;
  using Slots = BinnedSlots<A>;

  void add(const Source& source, std::int64_t n, Isa isa);
  /// Adds this state to shared slots by atomic integer additions: the order of joining is free.
  void join_into(std::int64_t* shared) const;

 private:
  struct AddToSlot {
    std::int64_t* slots;
    void operator()(int slot, std::int64_t amount) const { slots[slot] += amount; }
  };
  void add_window(const Source& source, Isa isa);
  void add_each(const Source& source, int n);
  void raise_top(A largest);

  std::int64_t state_[Slots::slots] = {};
  /// The top bin of what has been seen: that of the largest magnitude or of a smaller one, so that the bins from here on
  /// hold everything that the end may ask for.
  int top_ = BinGrid<A>::top_bins;
  A scale_ = 0;
};

}  // namespace detbench::reduction
