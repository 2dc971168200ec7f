// ld and st. Every element is read and written whole and anew each time, so that what the host or another kernel writes meanwhile
// is seen.
#include <cstdint>
#include <cstring>

#include "tests/emulated_gpu/addresses.hpp"
#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

template <class T>
T load_from(std::uintptr_t address) {
  return __atomic_load_n(reinterpret_cast<const T*>(address), __ATOMIC_RELAXED);
}
template <class T>
void store_to(std::uintptr_t address, T value) {
  __atomic_store_n(reinterpret_cast<T*>(address), value, __ATOMIC_RELAXED);
}

/// `count` elements of type Stored, each extended to a register of type Register.
template <class Stored, class Register, int count>
void load(Warp& warp, const Instruction& in, Mask mask) {
  Addresses addresses;
  resolve_addresses(warp, in, mask, sizeof(Stored) * count, addresses);
  if (notes_accesses(warp, in)) note_accesses(warp, in, mask, sizeof(Stored) * count, addresses, Access::read, [](int) { return false; });
  for (int i = 0; i < count; ++i) {
    auto* const result = warp.result<Slot<Register>>(in.operand[Instruction::d0 + i]);
    const std::uintptr_t offset = sizeof(Stored) * static_cast<std::size_t>(i);
    if (mask == all_lanes) {
      for (std::size_t lane = 0; lane < warp_lanes; ++lane) result[lane] = to_slot(static_cast<Register>(load_from<Stored>(addresses[lane] + offset)));
    } else {
      for_lanes(mask, [&](int lane) {
        result[lane] = to_slot(static_cast<Register>(load_from<Stored>(addresses[static_cast<std::size_t>(lane)] + offset)));
      });
    }
  }
}

/// A parameter at a known place: the same for all lanes.
template <class Stored, class Register, int count>
void load_parameter(Warp& warp, const Instruction& in, Mask mask) {
  for (int i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, warp.block->grid->parameters.data() + in.immediate + sizeof(Stored) * static_cast<std::size_t>(i), sizeof value);
    const Slot<Register> bits = to_slot(static_cast<Register>(value));
    auto* const result = warp.result<Slot<Register>>(in.operand[Instruction::d0 + i]);
    for (int lane = 0; lane < warp_lanes; ++lane) result[lane] = chosen(mask, lane, bits, result[lane]);
  }
}

template <class Stored, class Register, int count>
void store(Warp& warp, const Instruction& in, Mask mask) {
  Addresses addresses;
  resolve_addresses(warp, in, mask, sizeof(Stored) * count, addresses);
  const Slot<Register>* sources[count];
  for (int i = 0; i < count; ++i) sources[i] = warp.source<Slot<Register>>(in.operand[Instruction::s0 + i]);
  if (notes_accesses(warp, in)) {
    note_accesses(warp, in, mask, sizeof(Stored) * count, addresses, Access::write, [&](int lane) {
      bool same = true;
      for (int i = 0; i < count; ++i) {
        const auto present = load_from<Stored>(addresses[static_cast<std::size_t>(lane)] + sizeof(Stored) * static_cast<std::size_t>(i));
        same = same && present == static_cast<Stored>(sources[i][lane]);
      }
      return same;
    });
  }
  for_lanes(mask, [&](int lane) {
    for (int i = 0; i < count; ++i) {
      store_to(addresses[static_cast<std::size_t>(lane)] + sizeof(Stored) * static_cast<std::size_t>(i), static_cast<Stored>(sources[i][lane]));
    }
  });
}

enum class Action { load, load_parameter, store };

template <Action action, class Stored, class Register>
Handler of_count(std::size_t count) {
  const auto choose = [](Handler one, Handler two, Handler four, std::size_t n) { return n == 1 ? one : n == 2 ? two : n == 4 ? four : nullptr; };
  if constexpr (action == Action::store) return choose(store<Stored, Register, 1>, store<Stored, Register, 2>, store<Stored, Register, 4>, count);
  else if constexpr (action == Action::load) return choose(load<Stored, Register, 1>, load<Stored, Register, 2>, load<Stored, Register, 4>, count);
  else return choose(load_parameter<Stored, Register, 1>, load_parameter<Stored, Register, 2>, load_parameter<Stored, Register, 4>, count);
}

/// Registers of at least the type's width; wider ones hold the value extended by the type's sign.
template <Action action, class Stored>
Handler of_register(int register_bytes, std::size_t count) {
  if (register_bytes == 8) return of_count<action, Stored, std::uint64_t>(count);
  if constexpr (sizeof(Stored) == 8) return nullptr;
  else {
    if (register_bytes == 4) return of_count<action, Stored, std::uint32_t>(count);
    if constexpr (sizeof(Stored) == 4) return nullptr;
    else return of_count<action, Stored, std::uint16_t>(count);
  }
}

template <Action action>
Handler handler_for(Type type, int register_bytes, std::size_t count) {
  const bool extends_sign = type.is_signed() && action != Action::store;
  switch (type.bytes) {
    case 1: return extends_sign ? of_register<action, std::int8_t>(register_bytes, count) : of_register<action, std::uint8_t>(register_bytes, count);
    case 2: return extends_sign ? of_register<action, std::int16_t>(register_bytes, count) : of_register<action, std::uint16_t>(register_bytes, count);
    case 4: return extends_sign ? of_register<action, std::int32_t>(register_bytes, count) : of_register<action, std::uint32_t>(register_bytes, count);
    case 8: return of_register<action, std::uint64_t>(register_bytes, count);
    default: return nullptr;
  }
}

/// Space and count are taken; what only speaks of caches and order is allowed, as accesses are in order here.
struct AccessShape {
  Space space = Space::generic;
  std::size_t count = 1;
  bool is_volatile = false;
};

AccessShape take_shape(Decoding& decoding, bool stores) {
  static constexpr Space spaces[] = {Space::global, Space::constant, Space::shared, Space::shared, Space::local, Space::parameter, Space::parameter};
  AccessShape shape;
  const int space = decoding.take_one_of({"global", "const", "shared", "shared::cta", "local", "param", "param::entry"});
  if (space >= 0) shape.space = spaces[space];
  if (stores && (shape.space == Space::constant || shape.space == Space::parameter)) decoding.unsupported();
  if (decoding.take("v2")) shape.count = 2;
  else if (decoding.take("v4")) shape.count = 4;
  shape.is_volatile = decoding.take_one_of({"volatile", "relaxed", "acquire", "release", "mmio"}) >= 0;
  decoding.take("weak");
  decoding.take_one_of({"cta", "cluster", "gpu", "sys"});
  if (stores) decoding.take_one_of({"wb", "cg", "cs", "wt"});
  else decoding.take("nc"), decoding.take_one_of({"ca", "cg", "cs", "lu", "cv"});
  decoding.take_all_starting("L1::");
  decoding.take_all_starting("L2::");
  return shape;
}

/// The registers of an access: one, or a vector's.
std::vector<ptx::Operand> registers_of(const Decoding& decoding, std::size_t i, std::size_t count) {
  const ptx::Operand& operand = decoding.operand(i);
  std::vector<ptx::Operand> registers = operand.kind == ptx::Operand::Kind::vector ? operand.parts : std::vector{operand};
  if (registers.size() != count) decoding.unsupported("its vector has " + std::to_string(registers.size()) + " parts");
  return registers;
}

/// The width all of them share; immediates and sinks have that of the type.
int common_bytes(const Decoding& decoding, const std::vector<ptx::Operand>& registers, Type type) {
  int bytes = 0;
  for (const ptx::Operand& operand : registers) {
    if (operand.kind != ptx::Operand::Kind::register_or_symbol) continue;
    const int own = decoding.register_bytes(operand);
    if (bytes != 0 && own != bytes) decoding.unsupported("its registers differ in width");
    bytes = own;
  }
  return bytes != 0 ? bytes : type.bytes < 2 ? 2 : type.bytes;
}

Type bits_of(int bytes) { return {Type::Kind::bits, static_cast<std::uint8_t>(bytes)}; }

void decode_load(Decoding& decoding) {
  const AccessShape shape = take_shape(decoding, false);
  const Type type = decoding.take_type();
  decoding.expect_operands(2, 2);
  const auto registers = registers_of(decoding, 0, shape.count);
  const int bytes = common_bytes(decoding, registers, type);
  for (std::size_t i = 0; i < registers.size(); ++i) decoding.result(static_cast<Instruction::Field>(Instruction::d0 + i), registers[i], bits_of(bytes));
  decoding.memory_operand(1, shape.space);
  decoding.out.checked_for_races = !shape.is_volatile && (shape.space == Space::shared || shape.space == Space::generic);
  const bool known = shape.space == Space::parameter && decoding.out.address_bytes == 0;
  if (known && !decoding.parameter_holds(decoding.out.immediate, type.bytes * shape.count)) decoding.unsupported("it reads beyond the parameters");
  decoding.emit(known ? handler_for<Action::load_parameter>(type, bytes, shape.count) : handler_for<Action::load>(type, bytes, shape.count));
}

void decode_store(Decoding& decoding) {
  const AccessShape shape = take_shape(decoding, true);
  const Type type = decoding.take_type();
  decoding.expect_operands(2, 2);
  const auto registers = registers_of(decoding, 1, shape.count);
  const int bytes = common_bytes(decoding, registers, type);
  for (std::size_t i = 0; i < registers.size(); ++i) decoding.source(static_cast<Instruction::Field>(Instruction::s0 + i), registers[i], bits_of(bytes));
  decoding.memory_operand(0, shape.space);
  decoding.out.checked_for_races = !shape.is_volatile && (shape.space == Space::shared || shape.space == Space::generic);
  decoding.emit(handler_for<Action::store>(type, bytes, shape.count));
}

}  // namespace

void add_memory_decoders(DecoderTable& table) {
  table["ld"] = decode_load;
  table["ldu"] = decode_load;
  table["st"] = decode_store;
}

}  // namespace detbench::emulated
