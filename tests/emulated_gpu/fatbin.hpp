// The PTX text within what nvcc embeds in a program.
#pragma once

#include <cstdint>
#include <string>

namespace detbench::emulated {

/// What __cudaRegisterFatBinary receives; nvcc writes one per source.
struct FatbinWrapper {
  static constexpr std::uint32_t right_magic = 0x466243b1;
  std::uint32_t magic, version;
  const void* data;           ///< a FatbinHeader and its entries
  const void* file_or_parts;
};

/// In front of all entries.
struct FatbinHeader {
  static constexpr std::uint32_t right_magic = 0xba55ed50;
  std::uint32_t magic;
  std::uint16_t version, header_bytes;
  std::uint64_t bytes;        ///< of all entries, without this header
};

/// In front of each entry's contents.
struct FatbinEntry {
  static constexpr std::uint16_t kind_ptx = 1;
  std::uint16_t kind, version;
  std::uint32_t header_bytes;     ///< from the entry's begin to its contents
  std::uint64_t bytes;            ///< of the contents, padding included
  std::uint32_t compressed_bytes; ///< 0: not compressed
  std::uint32_t options_offset;
  std::uint16_t minor, major;     ///< of PTX
  std::uint32_t architecture;     ///< 90 for sm_90
};

/// The PTX text for the newest architecture in it. Throws std::runtime_error with the reason: no fatbin, no PTX (compiled for
/// real architectures alone), compressed (compiled without --no-compress).
std::string ptx_of_fatbin(const void* wrapper);

}  // namespace detbench::emulated
