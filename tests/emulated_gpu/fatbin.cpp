#include "tests/emulated_gpu/fatbin.hpp"

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace detbench::emulated {
namespace {

[[noreturn]] void refuse(const std::string& reason) { throw std::runtime_error("fatbin: " + reason); }

/// Copied, because nothing promises its alignment.
template <class T>
T read(const char* place) {
  T result;
  std::memcpy(&result, place, sizeof result);
  return result;
}

}  // namespace

std::string ptx_of_fatbin(const void* wrapper) {
  if (wrapper == nullptr) refuse("there is none");
  const auto outer = read<FatbinWrapper>(static_cast<const char*>(wrapper));
  if (outer.magic != FatbinWrapper::right_magic) refuse("its wrapper does not begin with 0x466243b1");
  if (outer.data == nullptr) refuse("its wrapper points nowhere");
  const char* const begin = static_cast<const char*>(outer.data);
  const auto header = read<FatbinHeader>(begin);
  if (header.magic != FatbinHeader::right_magic) refuse("it does not begin with 0xba55ed50");
  if (header.header_bytes < sizeof(FatbinHeader)) refuse("its header says that it has " + std::to_string(header.header_bytes) + " bytes");
  const char* place = begin + header.header_bytes;
  const char* const end = place + header.bytes;
  std::string_view text;
  std::uint32_t architecture = 0;
  while (end - place >= static_cast<std::ptrdiff_t>(sizeof(FatbinEntry))) {
    const auto entry = read<FatbinEntry>(place);
    const auto left = static_cast<std::uint64_t>(end - place);
    if (entry.header_bytes < sizeof(FatbinEntry) || entry.header_bytes > left || entry.bytes > left - entry.header_bytes) refuse("an entry goes past its end");
    if (entry.kind == FatbinEntry::kind_ptx && entry.architecture >= architecture) {
      if (entry.compressed_bytes != 0) refuse("its PTX is compressed; compile with --no-compress");
      text = std::string_view(place + entry.header_bytes, entry.bytes);
      architecture = entry.architecture;
    }
    place += entry.header_bytes + entry.bytes;
  }
  if (text.empty()) refuse("it holds no PTX; compile for a virtual architecture, like 90-virtual");
  text = text.substr(0, text.find('\0'));
  if (text.find(".version") == std::string_view::npos) refuse("its PTX is no text; compile with --no-compress");
  return std::string(text);
}

}  // namespace detbench::emulated
