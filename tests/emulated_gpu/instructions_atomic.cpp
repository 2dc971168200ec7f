// atom and red. Lanes act one after another, in an order the schedule draws: nothing says which comes first on a GPU.
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "tests/emulated_gpu/addresses.hpp"
#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/float_operations.hpp"
#include "tests/emulated_gpu/number_formats.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

// new = apply(old, operand, second operand), as bits of a register.
struct AtomicAdd {
  template <class T>
  static T apply(T old, T a, T) { return static_cast<T>(old + a); }
};
struct AtomicAnd {
  template <class T>
  static T apply(T old, T a, T) { return static_cast<T>(old & a); }
};
struct AtomicOr {
  template <class T>
  static T apply(T old, T a, T) { return static_cast<T>(old | a); }
};
struct AtomicXor {
  template <class T>
  static T apply(T old, T a, T) { return static_cast<T>(old ^ a); }
};
struct AtomicExchange {
  template <class T>
  static T apply(T, T a, T) { return a; }
};
struct AtomicCompareAndSwap {
  template <class T>
  static T apply(T old, T expected, T desired) { return old == expected ? desired : old; }
};
struct AtomicMinimum {
  template <class T>
  static T apply(T old, T a, T) { return std::min(old, a); }
};
struct AtomicMaximum {
  template <class T>
  static T apply(T old, T a, T) { return std::max(old, a); }
};
struct AtomicIncrement {
  template <class T>
  static T apply(T old, T a, T) { return old >= a ? T{0} : static_cast<T>(old + 1); }
};
struct AtomicDecrement {
  template <class T>
  static T apply(T old, T a, T) { return old == 0 || old > a ? a : static_cast<T>(old - 1); }
};
struct AtomicFloatAdd {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t a, std::uint32_t) {
    return std::bit_cast<std::uint32_t>(FloatAdd::apply(std::bit_cast<float>(old), std::bit_cast<float>(a)));
  }
  static std::uint64_t apply(std::uint64_t old, std::uint64_t a, std::uint64_t) {
    return std::bit_cast<std::uint64_t>(FloatAdd::apply(std::bit_cast<double>(old), std::bit_cast<double>(a)));
  }
};
/// In global memory f32 additions flush subnormal operands and results, as PTX says of atom.add.f32.
struct AtomicFloatAddFlushing {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t a, std::uint32_t) {
    return std::bit_cast<std::uint32_t>(Modified<FloatAdd, true, false>::apply(std::bit_cast<float>(old), std::bit_cast<float>(a)));
  }
};
/// The sum of two numbers of 16 bits is rounded once more from double; as that has more than twice their bits and two, the result
/// is the rounding of the exact sum.
template <class Format>
std::uint16_t add_16(std::uint16_t a, std::uint16_t b) {
  return rounded_16<Format>(static_cast<double>(float_of_16<Format>(a)) + static_cast<double>(float_of_16<Format>(b)));
}
template <class Format>
struct AtomicAdd16 {
  static std::uint16_t apply(std::uint16_t old, std::uint16_t a, std::uint16_t) { return add_16<Format>(old, a); }
};
template <class Format>
struct AtomicAddTwo16 {
  static std::uint32_t apply(std::uint32_t old, std::uint32_t a, std::uint32_t) {
    const auto low = add_16<Format>(static_cast<std::uint16_t>(old), static_cast<std::uint16_t>(a));
    const auto high = add_16<Format>(static_cast<std::uint16_t>(old >> 16), static_cast<std::uint16_t>(a >> 16));
    return static_cast<std::uint32_t>(high) << 16 | low;
  }
};

/// Lanes in the order of the schedule.
template <class F>
void for_lanes_as_drawn(Grid& grid, Mask mask, F&& f) {
  switch (grid.schedule.order) {
    case Schedule::Order::in_order: return for_lanes(mask, f);
    case Schedule::Order::reversed:
      for (; mask != 0; mask &= ~(Mask{1} << (31 - std::countl_zero(mask)))) f(31 - std::countl_zero(mask));
      return;
    case Schedule::Order::random: {
      std::array<int, warp_lanes> lanes;
      std::iota(lanes.begin(), lanes.end(), 0);
      for (unsigned i = warp_lanes - 1; i > 0; --i) std::swap(lanes[i], lanes[grid.random() % (i + 1)]);
      for (const int lane : lanes) {
        if ((mask >> lane & 1) != 0) f(lane);
      }
    }
  }
}

template <class Operation, class T, bool returns>
void atomic(Warp& warp, const Instruction& in, Mask mask) {
  Addresses addresses;
  resolve_addresses(warp, in, mask, sizeof(T), addresses);
  if (notes_accesses(warp, in)) note_accesses(warp, in, mask, sizeof(T), addresses, Access::atomic, [](int) { return false; });
  // The result may be one of the sources.
  std::array<Slot<T>, warp_lanes> old_values;
  const auto* const a = warp.source<Slot<T>>(in.operand[Instruction::s0]);
  const auto* const b = warp.source<Slot<T>>(in.operand[Instruction::s1]);
  for_lanes_as_drawn(*warp.block->grid, mask, [&](int lane) {
    const auto l = static_cast<std::size_t>(lane);
    T* const place = reinterpret_cast<T*>(addresses[l]);
    // The host may act on the same word, so this is atomic for it too.
    T old = __atomic_load_n(place, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(place, &old, Operation::apply(old, from_slot<T>(a[l]), from_slot<T>(b[l])), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
    old_values[l] = to_slot(old);
  });
  if constexpr (returns) {
    auto* const result = warp.result<Slot<T>>(in.operand[Instruction::d0]);
    for_lanes(mask, [&](int lane) { result[lane] = old_values[static_cast<std::size_t>(lane)]; });
  }
}

template <class Operation, class T>
Handler either(bool returns) { return returns ? atomic<Operation, T, true> : atomic<Operation, T, false>; }

template <class Operation>
Handler of_width(Type type, bool returns) {
  if (type.bytes == 4) return either<Operation, std::uint32_t>(returns);
  return type.bytes == 8 ? either<Operation, std::uint64_t>(returns) : nullptr;
}

template <class Operation>
Handler ordered(Type type, bool returns) {
  if (type.kind == Type::Kind::signed_integer) {
    return type.bytes == 4 ? either<Operation, std::int32_t>(returns) : either<Operation, std::int64_t>(returns);
  }
  return type.kind == Type::Kind::unsigned_integer ? of_width<Operation>(type, returns) : nullptr;
}

Handler addition(Type type, Space space, bool returns) {
  using Kind = Type::Kind;
  switch (type.kind) {
    case Kind::unsigned_integer:
    case Kind::signed_integer: return of_width<AtomicAdd>(type, returns);
    case Kind::floating:
      if (type.bytes == 8) return either<AtomicFloatAdd, std::uint64_t>(returns);
      if (type.bytes == 2) return either<AtomicAdd16<HalfFormat>, std::uint16_t>(returns);
      return space == Space::shared ? either<AtomicFloatAdd, std::uint32_t>(returns) : either<AtomicFloatAddFlushing, std::uint32_t>(returns);
    case Kind::brain: return either<AtomicAdd16<BrainFormat>, std::uint16_t>(returns);
    case Kind::packed_floating: return either<AtomicAddTwo16<HalfFormat>, std::uint32_t>(returns);
    case Kind::packed_brain: return either<AtomicAddTwo16<BrainFormat>, std::uint32_t>(returns);
    default: return nullptr;
  }
}

enum class Verb { add, conjunction, disjunction, difference, exchange, compare_and_swap, least, greatest, increment, decrement };

Handler handler_for(Verb verb, Type type, Space space, bool returns) {
  const bool integer = type.is_integer() && type.bytes >= 4;
  switch (verb) {
    case Verb::add: return addition(type, space, returns);
    case Verb::conjunction: return integer ? of_width<AtomicAnd>(type, returns) : nullptr;
    case Verb::disjunction: return integer ? of_width<AtomicOr>(type, returns) : nullptr;
    case Verb::difference: return integer ? of_width<AtomicXor>(type, returns) : nullptr;
    case Verb::exchange: return integer ? of_width<AtomicExchange>(type, returns) : nullptr;
    case Verb::compare_and_swap:
      if (type.bytes == 2 && type.is_integer()) return either<AtomicCompareAndSwap, std::uint16_t>(returns);
      return integer ? of_width<AtomicCompareAndSwap>(type, returns) : nullptr;
    case Verb::least: return integer ? ordered<AtomicMinimum>(type, returns) : nullptr;
    case Verb::greatest: return integer ? ordered<AtomicMaximum>(type, returns) : nullptr;
    case Verb::increment: return type == Type{Type::Kind::unsigned_integer, 4} ? either<AtomicIncrement, std::uint32_t>(returns) : nullptr;
    case Verb::decrement: return type == Type{Type::Kind::unsigned_integer, 4} ? either<AtomicDecrement, std::uint32_t>(returns) : nullptr;
  }
  return nullptr;
}

void decode_atomic(Decoding& decoding) {
  const bool returns = decoding.name() == "atom";
  static constexpr Space spaces[] = {Space::global, Space::shared, Space::shared};
  const int named = decoding.take_one_of({"global", "shared", "shared::cta"});
  const Space space = named < 0 ? Space::generic : spaces[named];
  decoding.take_one_of({"relaxed", "acquire", "release", "acq_rel"});
  decoding.take_one_of({"cta", "cluster", "gpu", "sys"});
  const int verb = decoding.take_one_of({"add", "and", "or", "xor", "exch", "cas", "min", "max", "inc", "dec"});
  decoding.take("noftz");
  decoding.take_all_starting("L2::");
  const Type type = decoding.take_type();
  if (verb < 0) decoding.unsupported();
  const std::size_t sources = static_cast<Verb>(verb) == Verb::compare_and_swap ? 2 : 1, first = returns ? 1 : 0;
  decoding.expect_operands(first + 1 + sources, first + 1 + sources);
  if (returns) decoding.result(0, 0, type);
  decoding.memory_operand(first, space);
  for (std::size_t k = 0; k < sources; ++k) decoding.source(static_cast<int>(k), first + 1 + k, type);
  if (sources == 1) decoding.out.operand[Instruction::s1] = 0;
  decoding.out.checked_for_races = space != Space::global;
  decoding.emit(handler_for(static_cast<Verb>(verb), type, space, returns));
}

}  // namespace

void add_atomic_decoders(DecoderTable& table) {
  table["atom"] = decode_atomic;
  table["red"] = decode_atomic;
}

}  // namespace detbench::emulated
