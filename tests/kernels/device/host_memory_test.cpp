#include "kernels/device/host_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "kernels/device/device.hpp"

namespace detbench {
namespace {

/// The kernel's flags of the mapping that holds an address ("rd wr ... hg"), from /proc/self/smaps.
std::string flags_at(const void* memory) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= address && address < end;
    if (inside && line.rfind("VmFlags:", 0) == 0) return line + " ";
  }
  return "";
}

TEST(HostMemory, SaysWhatIsAvailable) {
  const auto bytes = available_host_memory_bytes();
  ASSERT_TRUE(bytes) << bytes.error().text;
  EXPECT_GT(*bytes, 1u << 20);
}

TEST(HostMemory, LargeBuffersOfTheCpuAskForHugePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "this kernel has no transparent huge pages";
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  auto large = (*device)->allocate(64u << 20);
  ASSERT_TRUE(large);
  auto* bytes = static_cast<char*>((*large)->region().data);
  for (std::size_t at = 0; at < 64u << 20; at += 4096) bytes[at] = 1;  // every page can be written
  const auto flags = flags_at(bytes + (32 << 20));
  if (flags.empty()) GTEST_SKIP() << "this kernel does not show the flags of mappings";
  EXPECT_NE(flags.find(" hg "), std::string::npos) << flags;
}

TEST(HostMemory, SmallAllocationsAreLeftAlone) {
  // A mapping of its own: memory from the heap may lie in one that was advised before.
  constexpr std::size_t bytes = 1 << 20;
  void* small = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(small, MAP_FAILED);
  advise_huge_pages(small, bytes);
  EXPECT_EQ(flags_at(small).find(" hg "), std::string::npos);
  munmap(small, bytes);
}

}  // namespace
}  // namespace detbench
