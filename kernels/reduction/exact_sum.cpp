#include "kernels/reduction/exact_sum.hpp"

#include "kernels/reduction/summand_vectors.hpp"

namespace detbench::reduction {

/// f32 has few exponents: significands are added up in one 64-bit bin per exponent, which holds 2^39 of them, and only
/// the bins go to the limbs. Four sets of bins, because neighbours often share an exponent and an addition to the bin
/// just written would wait for the store. For elements that are f32 when widened.
template <class Source>
void ExactSum<Source>::add_binned(const Source& source, std::int64_t n) {
  constexpr int sets = 4, exponents = 256, beyond = 255;
  std::int64_t bins[sets][exponents] = {};
  bool any_special = false, any_other = false;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = float_bits(static_cast<float>(source.at(i)));
    const std::uint32_t exponent = bits >> 23 & 0xFFu;
    const auto significand =
        static_cast<std::int64_t>((bits & 0x7FFFFFu) | static_cast<std::uint32_t>(exponent != 0) << 23);
    const std::int64_t sign = -static_cast<std::int64_t>(bits >> 31);  // all ones for a negative summand
    bins[i % sets][exponent] += (significand ^ sign) - sign;
    any_special |= exponent == beyond;
    any_other |= bits != 0x80000000u;
  }
  for (int exponent = 0; exponent < beyond; ++exponent) {
    const std::int64_t sum = (bins[0][exponent] + bins[1][exponent]) + (bins[2][exponent] + bins[3][exponent]);
    if (sum == 0) continue;
    const auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
    add_digits(magnitude, last_place<Register, float>(exponent), sum < 0, AddToSlot{slots_});
    count_deposits(1);
  }
  if (any_special)
    for (std::int64_t i = 0; i < n; ++i)
      if (!(source.at(i) - source.at(i) == 0)) deposit_one(source.at(i));
  if (any_other) slots_[Slots::not_negative_zero_slot] = 1;
}

template <class Source>
void ExactSum<Source>::add_each(const Source& source, std::int64_t n) {
  // Clearing and emptying the bins costs as much as some hundred deposits.
  if constexpr (has_wide<Source> && !Source::is_product)
    if (n >= 512) return add_binned(source, n);
  bool any_other = false;
  for (std::int64_t i = 0; i < n; ++i) {
    any_other |= deposit_summand(source, i, AddToSlot{slots_});
    count_deposits(2);
  }
  if (any_other) slots_[Slots::not_negative_zero_slot] = 1;
}

template <class Source>
void ExactSum<Source>::add_window(const Source& source, Isa isa) {
  WindowSum sum;
  const WindowRange<Source> range = window_sum(source, top_, sum, isa);
  // Zeros alone leave only their signs to look at; infinities, NaNs and wide spreads need every element.
  if (range.all_zero() || window_fit(range) == WindowFit::none) return add_each(source, window_elements);
  if constexpr (Source::is_product) {
    // Zeros may have met values everywhere, and then again only the signs are left.
    if (sum.rounded.high == 0 && sum.rounded.low == 0 && slots_[Slots::not_negative_zero_slot] == 0)
      return add_each(source, window_elements);
  }
  slots_[Slots::not_negative_zero_slot] = 1;
  deposit_one(sum.rounded.high);
  deposit_one(sum.rounded.low);
  if constexpr (!has_wide<Source> && Source::is_product) {
    deposit_one(sum.lost.high);
    deposit_one(sum.lost.low);
  }
}

template <class Source>
void ExactSum<Source>::add_windows(const Source& source, std::int64_t n, Isa isa) {
  std::int64_t first = 0;
  for (; first + window_elements <= n; first += window_elements) add_window(source.from(first), isa);
  add_each(source.from(first), n - first);
}

template <class Source>
void ExactSum<Source>::carry() {
  carry_limbs(slots_, Slots::limbs);
  deposits_ = 0;
}

template <class Source>
void ExactSum<Source>::join_into(std::int64_t* shared) {
  carry();  // digits below 2^32 leave room for 2^30 threads
  for (int slot = 0; slot < Slots::slots; ++slot) {
    if (slots_[slot] == 0) continue;
#pragma omp atomic
    shared[slot] += slots_[slot];
  }
}

#define DETBENCH_EXACT_SUM(Source) template class ExactSum<Source>;
DETBENCH_FOR_EACH_SOURCE(DETBENCH_EXACT_SUM)

}  // namespace detbench::reduction
