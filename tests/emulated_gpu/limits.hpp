// Limits of compute capability 9.0 (CUDA C++ Programming Guide, technical specifications per compute capability).
#pragma once

namespace detbench::emulated::limits {

inline constexpr int warp_lanes = 32, threads_per_block = 1024, block_z = 64;
inline constexpr int grid_x = 2147483647, grid_yz = 65535;
inline constexpr int threads_per_multiprocessor = 2048, blocks_per_multiprocessor = 32;
inline constexpr int registers = 65536, registers_per_thread = 255;  ///< of 32 bits; per block and per multiprocessor
inline constexpr int shared_bytes_per_multiprocessor = 228 << 10, reserved_shared_bytes = 1 << 10;
inline constexpr int constant_bytes = 64 << 10;
/// Not those of any GPU: what is written to drive everything out of the cache should not take seconds here.
inline constexpr int l2_bytes = 1 << 20, memory_bus_bits = 256;

}  // namespace detbench::emulated::limits
