// Exact sums on the CPU: private superaccumulators that several threads fill in any order and join.
#pragma once

#include <cstdint>

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/reduction/window_sums.hpp"

namespace detbench::reduction {

/// One thread's superaccumulator for the summands of a source.
template <class Source>
class ExactSum {
 public:
  using Register = register_of<Source>;
  using Slots = Superaccumulator<Register>;

  /// n summands, each by integer arithmetic alone, whatever their exponents.
  void add_each(const Source& source, std::int64_t n);
  /// n summands, window by window (window.hpp), with `isa`; the state stands for the same number as after add_each.
  void add_windows(const Source& source, std::int64_t n, Isa isa);

  /// Adds this state to shared slots by atomic integer additions: the order of joining is free.
  void join_into(std::int64_t* shared);

 private:
  struct AddToSlot {
    std::int64_t* slots;
    void operator()(int slot, std::int64_t amount) const { slots[slot] += amount; }
  };
  template <class V>
  void deposit_one(V value) {
    deposit<Register>(value, AddToSlot{slots_});
    count_deposits(1);
  }
  void count_deposits(int count) {
    deposits_ += count;
    if (deposits_ >= Slots::deposits_before_carry - 1) carry();
  }
  void add_binned(const Source& source, std::int64_t n);
  void add_window(const Source& source, Isa isa);
  void carry();

  std::int64_t slots_[Slots::slots] = {};
  std::int64_t deposits_ = 0;
  int top_ = no_top;  ///< of window_sum()
};

}  // namespace detbench::reduction
