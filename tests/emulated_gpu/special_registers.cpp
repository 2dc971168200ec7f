#include "tests/emulated_gpu/special_registers.hpp"

#include <chrono>
#include <unordered_map>

#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

/// value(warp, lane) in every lane of the mask.
template <auto value, class T>
void read(Warp& warp, const Instruction& in, Mask mask) {
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  for_lanes(mask, [&](int lane) { result[lane] = static_cast<T>(value(warp, lane)); });
}

/// The same in every lane, asked once.
template <auto value, class T>
void read_uniform(Warp& warp, const Instruction& in, Mask mask) {
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  const T bits = static_cast<T>(value(warp));
  for_lanes(mask, [&](int lane) { result[lane] = bits; });
}

const Dimensions& thread(const Warp& warp, int lane) { return warp.thread[static_cast<std::size_t>(lane)]; }

std::uint32_t multiprocessor(const Warp& warp) {
  const Grid& grid = *warp.block->grid;
  return (warp.block->slot + grid.first_multiprocessor) % static_cast<std::uint32_t>(grid.shape.multiprocessors);
}

std::uint64_t nanoseconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

const std::unordered_map<std::string_view, Handler>& narrow_registers() {
  using W = const Warp&;
  using N = std::uint32_t;
  static const std::unordered_map<std::string_view, Handler> table = {
      {"%tid.x", read<[](W w, int l) { return thread(w, l).x; }, N>},
      {"%tid.y", read<[](W w, int l) { return thread(w, l).y; }, N>},
      {"%tid.z", read<[](W w, int l) { return thread(w, l).z; }, N>},
      {"%ntid.x", read_uniform<[](W w) { return w.block->grid->block.x; }, N>},
      {"%ntid.y", read_uniform<[](W w) { return w.block->grid->block.y; }, N>},
      {"%ntid.z", read_uniform<[](W w) { return w.block->grid->block.z; }, N>},
      {"%ctaid.x", read_uniform<[](W w) { return w.block->position.x; }, N>},
      {"%ctaid.y", read_uniform<[](W w) { return w.block->position.y; }, N>},
      {"%ctaid.z", read_uniform<[](W w) { return w.block->position.z; }, N>},
      {"%nctaid.x", read_uniform<[](W w) { return w.block->grid->grid.x; }, N>},
      {"%nctaid.y", read_uniform<[](W w) { return w.block->grid->grid.y; }, N>},
      {"%nctaid.z", read_uniform<[](W w) { return w.block->grid->grid.z; }, N>},
      {"%laneid", read<[](W, int l) { return l; }, N>},
      {"%warpid", read_uniform<[](W w) { return w.index; }, N>},
      {"%nwarpid", read_uniform<[](W) { return 64; }, N>},
      {"%smid", read_uniform<multiprocessor, N>},
      {"%nsmid", read_uniform<[](W w) { return w.block->grid->shape.multiprocessors; }, N>},
      {"%lanemask_eq", read<[](W, int l) { return N{1} << l; }, N>},
      {"%lanemask_lt", read<[](W, int l) { return (N{1} << l) - 1; }, N>},
      {"%lanemask_le", read<[](W, int l) { return (N{2} << l) - 1; }, N>},
      {"%lanemask_gt", read<[](W, int l) { return ~((N{2} << l) - 1); }, N>},
      {"%lanemask_ge", read<[](W, int l) { return ~((N{1} << l) - 1); }, N>},
      {"%dynamic_smem_size", read_uniform<[](W w) { return w.block->grid->dynamic_shared_bytes; }, N>},
      {"%total_smem_size", read_uniform<[](W w) { return w.block->shared.size(); }, N>},
      {"%clock", read_uniform<[](W w) { return w.block->grid->executed; }, N>},
      {"%clock_hi", read_uniform<[](W w) { return (w.block->grid->executed >> 32); }, N>},
      {"%globaltimer_lo", read_uniform<[](W) { return nanoseconds(); }, N>},
      {"%globaltimer_hi", read_uniform<[](W) { return (nanoseconds() >> 32); }, N>},
  };
  return table;
}

const std::unordered_map<std::string_view, Handler>& wide_registers() {
  using W = const Warp&;
  using N = std::uint64_t;
  static const std::unordered_map<std::string_view, Handler> table = {
      {"%clock64", read_uniform<[](W w) { return w.block->grid->executed; }, N>},
      {"%globaltimer", read_uniform<[](W) { return nanoseconds(); }, N>},
  };
  return table;
}

}  // namespace

Handler special_register_handler(std::string_view name, int bytes) {
  const auto& table = bytes == 8 ? wide_registers() : narrow_registers();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace detbench::emulated
