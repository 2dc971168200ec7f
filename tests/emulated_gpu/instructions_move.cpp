// mov, with packing and unpacking, and the conversions between addresses of one space and generic ones.
#include <cstdint>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

struct Same {
  template <class T>
  static T apply(T a) { return a; }
};

void move_predicate(Warp& warp, const Instruction& in, Mask mask) {
  warp.set_predicate(in.operand[Instruction::d0], warp.predicate(in.operand[Instruction::s0]), mask);
}

/// `parts` registers of Part make one of Whole, the first lowest.
template <class Whole, class Part, int parts>
void pack(Warp& warp, const Instruction& in, Mask mask) {
  const Slot<Part>* sources[parts];
  for (int p = 0; p < parts; ++p) sources[p] = warp.source<Slot<Part>>(in.operand[Instruction::s0 + p]);
  auto* const result = warp.result<Whole>(in.operand[Instruction::d0]);
  for (int lane = 0; lane < warp_lanes; ++lane) {
    Whole value = 0;
    for (int p = 0; p < parts; ++p) value |= static_cast<Whole>(static_cast<Part>(sources[p][lane])) << (8 * sizeof(Part) * static_cast<unsigned>(p));
    result[lane] = chosen(mask, lane, value, result[lane]);
  }
}

template <class Whole, class Part, int parts>
void unpack(Warp& warp, const Instruction& in, Mask mask) {
  const auto* const source = warp.source<Whole>(in.operand[Instruction::s0]);
  Slot<Part>* results[parts];
  for (int p = 0; p < parts; ++p) results[p] = warp.result<Slot<Part>>(in.operand[Instruction::d0 + p]);
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const Whole value = source[lane];
    for (int p = 0; p < parts; ++p) {
      const Slot<Part> part = static_cast<Part>(value >> (8 * sizeof(Part) * static_cast<unsigned>(p)));
      results[p][lane] = chosen(mask, lane, part, results[p][lane]);
    }
  }
}

Type bits_of(std::size_t bytes) { return {Type::Kind::bits, static_cast<std::uint8_t>(bytes)}; }

void decode_vector_move(Decoding& decoding, Type type) {
  const bool packs = decoding.operand(1).kind == ptx::Operand::Kind::vector;
  const std::vector<ptx::Operand>& parts = decoding.operand(packs ? 1 : 0).parts;
  const std::size_t bytes = parts.empty() ? 0 : type.bytes / parts.size();
  if (bytes * parts.size() != type.bytes || bytes < 2 || parts.size() < 2 || parts.size() > 4) decoding.unsupported();
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (packs) decoding.source(static_cast<Instruction::Field>(Instruction::s0 + p), parts[p], bits_of(bytes));
    else decoding.result(static_cast<Instruction::Field>(Instruction::d0 + p), parts[p], bits_of(bytes));
  }
  if (packs) decoding.result(0, 0, type);
  else decoding.source(0, 1, type);
  using U16 = std::uint16_t;
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  if (type.bytes == 4) return decoding.emit(packs ? pack<U32, U16, 2> : unpack<U32, U16, 2>);
  if (bytes == 4) return decoding.emit(packs ? pack<U64, U32, 2> : unpack<U64, U32, 2>);
  decoding.emit(packs ? pack<U64, U16, 4> : unpack<U64, U16, 4>);
}

void decode_move(Decoding& decoding) {
  const Type type = decoding.take_type();
  decoding.expect_operands(2, 2);
  if (type.kind == Type::Kind::predicate) {
    decoding.predicate_result(0, 0);
    decoding.predicate_source(0, 1);
    return decoding.emit(move_predicate);
  }
  using Kind = ptx::Operand::Kind;
  if (decoding.operand(0).kind == Kind::vector || decoding.operand(1).kind == Kind::vector) return decode_vector_move(decoding, type);
  if (type.bytes < 2) decoding.unsupported();
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  decoding.emit(type.bytes == 8 ? map_handler<Same, std::uint64_t, std::uint64_t> : map_handler<Same, std::uint32_t, std::uint32_t>);
}

/// Where a space's offsets count from, as a generic address.
std::uintptr_t base_of(const Warp& warp, Space space, int lane) {
  switch (space) {
    case Space::shared: return std::bit_cast<std::uintptr_t>(warp.block->shared.data());
    case Space::local: return warp.local_address(lane);
    case Space::parameter: return std::bit_cast<std::uintptr_t>(warp.block->grid->parameters.data());
    default: return 0;
  }
}

template <bool to_space>
void convert_address(Warp& warp, const Instruction& in, Mask mask) {
  const auto* const source = warp.source<std::uint64_t>(in.operand[Instruction::s0]);
  auto* const result = warp.result<std::uint64_t>(in.operand[Instruction::d0]);
  for_lanes(mask, [&](int lane) {
    const std::uint64_t base = base_of(warp, in.space, lane);
    result[lane] = to_space ? source[lane] - base : source[lane] + base;
  });
}

/// The first word that names a space.
Space take_space(Decoding& decoding) {
  static constexpr Space spaces[] = {Space::global, Space::constant, Space::shared, Space::shared, Space::local, Space::parameter, Space::parameter};
  const int found = decoding.take_one_of({"global", "const", "shared", "shared::cta", "local", "param", "param::entry"});
  if (found < 0) decoding.unsupported();
  return spaces[found];
}

void decode_convert_address(Decoding& decoding) {
  const bool to_space = decoding.take("to");
  const Space space = take_space(decoding);
  const Type type = decoding.take_type();
  if (type.bytes != 8) decoding.unsupported();
  decoding.expect_operands(2, 2);
  decoding.out.space = space;
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  if (space == Space::global || space == Space::constant) return decoding.emit(map_handler<Same, std::uint64_t, std::uint64_t>);
  decoding.emit(to_space ? convert_address<true> : convert_address<false>);
}

/// What is in none of the other spaces is global.
void is_in_space(Warp& warp, const Instruction& in, Mask mask) {
  const auto* const source = warp.source<std::uint64_t>(in.operand[Instruction::s0]);
  const Block& block = *warp.block;
  Mask result = 0;
  for_lanes(mask, [&](int lane) {
    const auto within = [&](Space space, std::size_t bytes) { return source[lane] - base_of(warp, space, lane) < bytes; };
    const bool shared = within(Space::shared, block.shared.size()), local = within(Space::local, block.grid->code->attributes.local_bytes);
    const bool parameter = within(Space::parameter, block.grid->parameters.size());
    const bool holds = in.space == Space::shared      ? shared
                       : in.space == Space::local     ? local
                       : in.space == Space::parameter ? parameter
                                                      : !shared && !local && !parameter;
    result |= static_cast<Mask>(holds) << lane;
  });
  warp.set_predicate(in.operand[Instruction::d0], result, mask);
}

void decode_is_in_space(Decoding& decoding) {
  const Space space = take_space(decoding);
  if (space == Space::constant) decoding.unsupported();
  decoding.expect_operands(2, 2);
  decoding.out.space = space;
  decoding.predicate_result(0, 0);
  decoding.source(0, 1, {Type::Kind::bits, 8});
  decoding.emit(is_in_space);
}

}  // namespace

void add_move_decoders(DecoderTable& table) {
  table["mov"] = decode_move;
  table["cvta"] = decode_convert_address;
  table["isspacep"] = decode_is_in_space;
}

}  // namespace detbench::emulated
