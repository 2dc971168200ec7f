// Instructions that lanes of a warp do together. The warp has seen to it that the lanes that belong together are here: those of the
// mask, each with the lanes that its own operand s3 names.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

constexpr Type u32{Type::Kind::unsigned_integer, 4};

Mask members(const Warp& warp, const Instruction& in, int lane) { return warp.source<Mask>(in.operand[Instruction::s3])[lane]; }

/// f(group) for each set of lanes of `mask` that name the same members.
template <class F>
void for_groups(const Warp& warp, const Instruction& in, Mask mask, F&& f) {
  while (mask != 0) {
    const Mask named = members(warp, in, std::countr_zero(mask));
    Mask group = 0;
    for_lanes(mask, [&](int lane) { group |= members(warp, in, lane) == named ? Mask{1} << lane : 0; });
    f(group);
    mask &= ~group;
  }
}

enum class Shuffle { up, down, butterfly, index };

/// d0 and the predicate d1: s0 of another lane, found from s1 and the clamp and segments in s2.
template <Shuffle mode>
void shuffle(Warp& warp, const Instruction& in, Mask mask) {
  std::array<std::uint32_t, warp_lanes> values;
  std::copy_n(warp.source<std::uint32_t>(in.operand[Instruction::s0]), warp_lanes, values.begin());
  const auto* const by = warp.source<std::uint32_t>(in.operand[Instruction::s1]);
  const auto* const limits = warp.source<std::uint32_t>(in.operand[Instruction::s2]);
  auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  const Mask* const named = warp.source<Mask>(in.operand[Instruction::s3]);
  std::array<std::uint32_t, warp_lanes> from;
  Mask in_range = 0, there = 0;
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const int b = static_cast<int>(by[lane] & 31), clamp = static_cast<int>(limits[lane] & 31), segment = static_cast<int>(limits[lane] >> 8 & 31);
    const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    const int other = mode == Shuffle::up ? lane - b : mode == Shuffle::down ? lane + b : mode == Shuffle::butterfly ? lane ^ b : least | (b & ~segment);
    const bool inside = mode == Shuffle::up ? other >= most : other <= most;
    const int chosen_lane = inside ? other & 31 : lane;
    from[static_cast<std::size_t>(lane)] = static_cast<std::uint32_t>(chosen_lane);
    in_range |= static_cast<Mask>(inside) << lane;
    there |= (mask & named[lane]) >> chosen_lane << lane & Mask{1} << lane;
  }
  if ((mask & ~there) != 0) {
    const int lane = std::countr_zero(mask & ~there);
    warp.fault(Fault::Kind::illegal_instruction, in, lane, "a shuffle reads lane " + std::to_string(from[static_cast<std::size_t>(lane)]) + ", which is not there");
  }
  for (int lane = 0; lane < warp_lanes; ++lane) {
    result[lane] = chosen(mask, lane, values[from[static_cast<std::size_t>(lane)]], result[lane]);
  }
  warp.set_predicate(in.operand[Instruction::d1], in_range, mask);
}

enum class Vote { all, any, uniform, ballot };

template <Vote vote>
void count_votes(Warp& warp, const Instruction& in, Mask mask) {
  const Mask votes = warp.predicate(in.operand[Instruction::s0]);
  for_groups(warp, in, mask, [&](Mask group) {
    const Mask yes = votes & group;
    if constexpr (vote == Vote::ballot) {
      auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
      for_lanes(group, [&](int lane) { result[lane] = yes; });
    } else {
      const bool holds = vote == Vote::all ? yes == group : vote == Vote::any ? yes != 0 : yes == 0 || yes == group;
      warp.set_predicate(in.operand[Instruction::d0], holds ? all_lanes : 0, group);
    }
  });
}

/// match.any: the lanes with the same value; match.all: all of them if they agree, and d1 says so.
template <class T, bool all>
void match(Warp& warp, const Instruction& in, Mask mask) {
  std::array<T, warp_lanes> values;
  std::copy_n(warp.source<T>(in.operand[Instruction::s0]), warp_lanes, values.begin());
  auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  for_groups(warp, in, mask, [&](Mask group) {
    const auto equal_to = [&](int lane) {
      Mask equal = 0;
      for_lanes(group, [&](int other) { equal |= static_cast<Mask>(values[static_cast<std::size_t>(other)] == values[static_cast<std::size_t>(lane)]) << other; });
      return equal;
    };
    if constexpr (all) {
      const bool agree = equal_to(std::countr_zero(group)) == group;
      for_lanes(group, [&](int lane) { result[lane] = agree ? group : 0; });
      warp.set_predicate(in.operand[Instruction::d1], agree ? all_lanes : 0, group);
    } else {
      for_lanes(group, [&](int lane) { result[lane] = equal_to(lane); });
    }
  });
}

enum class Reduction { add, least, greatest, conjunction, disjunction, difference };

template <Reduction reduction, class T>
void reduce(Warp& warp, const Instruction& in, Mask mask) {
  std::array<std::uint32_t, warp_lanes> values;
  std::copy_n(warp.source<std::uint32_t>(in.operand[Instruction::s0]), warp_lanes, values.begin());
  auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  for_groups(warp, in, mask, [&](Mask group) {
    const int first = std::countr_zero(group);
    std::uint32_t sum = values[static_cast<std::size_t>(first)];
    for_lanes(group & (group - 1), [&](int lane) {
      const std::uint32_t value = values[static_cast<std::size_t>(lane)];
      switch (reduction) {
        case Reduction::add: sum += value; break;
        case Reduction::least: sum = static_cast<std::uint32_t>(std::min(static_cast<T>(sum), static_cast<T>(value))); break;
        case Reduction::greatest: sum = static_cast<std::uint32_t>(std::max(static_cast<T>(sum), static_cast<T>(value))); break;
        case Reduction::conjunction: sum &= value; break;
        case Reduction::disjunction: sum |= value; break;
        case Reduction::difference: sum ^= value; break;
      }
    });
    for_lanes(group, [&](int lane) { result[lane] = sum; });
  });
}

/// d0: the first of the lanes named; d1: whether it is this one.
void elect(Warp& warp, const Instruction& in, Mask mask) {
  auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  for_groups(warp, in, mask, [&](Mask group) {
    for_lanes(group, [&](int lane) { result[lane] = static_cast<std::uint32_t>(std::countr_zero(group)); });
    warp.set_predicate(in.operand[Instruction::d1], group & (0 - group), group);
  });
}

void active_lanes(Warp& warp, const Instruction& in, Mask mask) {
  auto* const result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  for_lanes(mask, [&](int lane) { result[lane] = mask; });
}

void nothing(Warp&, const Instruction&, Mask) {}

void named_members(Decoding& decoding, std::size_t i) { decoding.source(3, i, u32); }

void decode_shuffle(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.unsupported("without .sync it");
  const int mode = decoding.take_one_of({"up", "down", "bfly", "idx"});
  const Type type = decoding.take_type();
  if (mode < 0 || type.bytes != 4) decoding.unsupported();
  decoding.expect_operands(5, 5);
  decoding.result(0, 0, type);
  decoding.second_predicate_result(1, 0);
  for (int k = 0; k < 3; ++k) decoding.source(k, static_cast<std::size_t>(k) + 1, u32);
  named_members(decoding, 4);
  static constexpr Handler handlers[] = {shuffle<Shuffle::up>, shuffle<Shuffle::down>, shuffle<Shuffle::butterfly>, shuffle<Shuffle::index>};
  decoding.emit(handlers[mode], Control::converge);
}

void decode_vote(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.unsupported("without .sync it");
  const int vote = decoding.take_one_of({"all", "any", "uni", "ballot"});
  const Type type = decoding.take_type();
  if (vote < 0 || (vote == 3) != (type.bytes == 4)) decoding.unsupported();
  decoding.expect_operands(3, 3);
  if (vote == 3) decoding.result(0, 0, type);
  else decoding.predicate_result(0, 0);
  decoding.predicate_source(0, 1);
  named_members(decoding, 2);
  static constexpr Handler handlers[] = {count_votes<Vote::all>, count_votes<Vote::any>, count_votes<Vote::uniform>, count_votes<Vote::ballot>};
  decoding.emit(handlers[vote], Control::converge);
}

void decode_match(Decoding& decoding) {
  const int all = decoding.take_one_of({"any", "all"});
  if (all < 0 || !decoding.take("sync")) decoding.unsupported();
  const Type type = decoding.take_type();
  if (type.kind != Type::Kind::bits || type.bytes < 4) decoding.unsupported();
  decoding.expect_operands(3, 3);
  decoding.result(0, 0, u32);
  if (all == 1) decoding.second_predicate_result(1, 0);
  decoding.source(0, 1, type);
  named_members(decoding, 2);
  using N = std::uint32_t;
  using W = std::uint64_t;
  if (type.bytes == 4) return decoding.emit(all == 1 ? match<N, true> : match<N, false>, Control::converge);
  decoding.emit(all == 1 ? match<W, true> : match<W, false>, Control::converge);
}

void decode_reduce(Decoding& decoding) {
  if (!decoding.take("sync")) decoding.unsupported();
  const int operation = decoding.take_one_of({"add", "min", "max", "and", "or", "xor"});
  const Type type = decoding.take_type();
  if (operation < 0 || !type.is_integer() || type.bytes != 4) decoding.unsupported();
  decoding.expect_operands(3, 3);
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  named_members(decoding, 2);
  using S = std::int32_t;
  using N = std::uint32_t;
  static constexpr Handler handlers[2][6] = {
      {reduce<Reduction::add, N>, reduce<Reduction::least, N>, reduce<Reduction::greatest, N>, reduce<Reduction::conjunction, N>, reduce<Reduction::disjunction, N>, reduce<Reduction::difference, N>},
      {reduce<Reduction::add, S>, reduce<Reduction::least, S>, reduce<Reduction::greatest, S>, reduce<Reduction::conjunction, S>, reduce<Reduction::disjunction, S>, reduce<Reduction::difference, S>}};
  decoding.emit(handlers[type.is_signed()][operation], Control::converge);
}

}  // namespace

void add_warp_decoders(DecoderTable& table) {
  table["shfl"] = decode_shuffle;
  table["vote"] = decode_vote;
  table["match"] = decode_match;
  table["redux"] = decode_reduce;
  table["elect"] = [](Decoding& d) {
    if (!d.take("sync")) d.unsupported();
    d.expect_operands(2, 2);
    d.result(0, 0, u32);
    d.second_predicate_result(1, 0);
    named_members(d, 1);
    d.emit(elect, Control::converge);
  };
  table["activemask"] = [](Decoding& d) {
    if (d.take_type().bytes != 4) d.unsupported();
    d.expect_operands(1, 1);
    d.result(0, 0, u32);
    d.emit(active_lanes);
  };
}

/// bar.warp.sync, which `bar` decodes.
void decode_warp_barrier(Decoding& decoding) {
  decoding.expect_operands(1, 1);
  named_members(decoding, 0);
  decoding.emit(nothing, Control::converge);
}

}  // namespace detbench::emulated
