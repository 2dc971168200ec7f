// Branches, ends, barriers of the block, fences. What they do is in warp.cpp.
#include <atomic>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {

void decode_warp_barrier(Decoding& decoding);

namespace {

constexpr Type u32{Type::Kind::unsigned_integer, 4};

void trap(Warp& warp, const Instruction& in, Mask mask) {
  warp.fault(Fault::Kind::illegal_instruction, in, std::countr_zero(mask), "the kernel trapped");
}

void fence(Warp&, const Instruction&, Mask) { std::atomic_thread_fence(std::memory_order_seq_cst); }
void nothing(Warp&, const Instruction&, Mask) {}

void decode_branch(Decoding& decoding) {
  if (decoding.name() == "brx") {
    if (!decoding.take("idx")) decoding.unsupported();
    decoding.take("uni");
    decoding.expect_operands(2, 2);
    decoding.source(0, 0, u32);
    decoding.branch_table(1);
    return decoding.emit(nullptr, Control::branch_table);
  }
  decoding.take("uni");
  decoding.expect_operands(1, 1);
  decoding.branch_to(0);
  decoding.emit(nullptr, Control::branch);
}

void decode_leave(Decoding& decoding) {
  decoding.take("uni");
  decoding.expect_operands(0, 0);
  decoding.emit(nullptr, Control::leave);
}

/// bar and barrier: a number, and perhaps how many threads; bar.red has a result and a predicate too.
void decode_barrier(Decoding& decoding) {
  if (decoding.take("warp")) {
    if (!decoding.take("sync")) decoding.unsupported();
    return decode_warp_barrier(decoding);
  }
  decoding.take_one_of({"cta"});
  decoding.take("aligned");
  const int kind = decoding.take_one_of({"sync", "arrive", "red"});
  if (kind < 0) decoding.unsupported();
  std::size_t next = 0;
  std::size_t left = decoding.operands();
  if (kind == 2) {
    const int gathers = decoding.take_one_of({"popc", "and", "or"});
    if (gathers < 0) decoding.unsupported();
    decoding.out.detail = static_cast<std::uint8_t>(gathers + 1);
    decoding.take_type();
    if (gathers == 0) decoding.result(0, next++, u32);
    else decoding.predicate_result(0, next++);
    decoding.predicate_source(2, decoding.operands() - 1);
    --left;
  }
  if (left < next + 1 || left > next + 2) decoding.unsupported("it has " + std::to_string(decoding.operands()) + " operands");
  decoding.source(0, next, u32);
  if (left == next + 2) decoding.source(1, next + 1, u32);
  else decoding.constant(Instruction::s1, 0, 4);
  decoding.emit(nullptr, kind == 1 ? Control::barrier_arrive : Control::barrier);
}

void decode_fence(Decoding& decoding) {
  decoding.take_one_of({"sc", "acq_rel"});
  decoding.take_one_of({"cta", "gl", "gpu", "sys", "cluster"});
  decoding.expect_operands(0, 0);
  decoding.emit(fence);
}

void decode_sleep(Decoding& decoding) {
  if (decoding.take_type().bytes != 4) decoding.unsupported();
  decoding.expect_operands(1, 1);
  decoding.emit(nothing, Control::yield);
}

}  // namespace

void add_control_decoders(DecoderTable& table) {
  table["bra"] = table["brx"] = decode_branch;
  table["ret"] = table["exit"] = decode_leave;
  table["trap"] = [](Decoding& d) {
    d.expect_operands(0, 0);
    d.emit(trap);
  };
  table["bar"] = table["barrier"] = decode_barrier;
  table["membar"] = table["fence"] = decode_fence;
  table["nanosleep"] = decode_sleep;
}

}  // namespace detbench::emulated
