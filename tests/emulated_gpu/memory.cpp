#include "tests/emulated_gpu/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>

namespace detbench::emulated {
namespace {

constexpr std::size_t page_bytes = 4096, arena_bytes = std::size_t{1} << 40;
constexpr std::size_t offset_in_page = 256;
/// Two bytes that are NaN as f16, bf16, and, repeated, as f32 and f64.
constexpr std::uint16_t unwritten = 0xFFFB;

constexpr std::uintptr_t round_up(std::uintptr_t value, std::uintptr_t step) { return (value + step - 1) / step * step; }

}  // namespace

void* DeviceMemory::allocate(std::size_t bytes, bool live) {
  const std::unique_lock lock(mutex_);
  if (bytes > capacity_bytes - std::min(used_bytes_, capacity_bytes)) return nullptr;
  if (arena_ == 0) {
    void* range = mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return nullptr;
    arena_ = next_ = reinterpret_cast<std::uintptr_t>(range);
    arena_end_ = arena_ + arena_bytes;
  }
  // Addresses are never used twice, and a page without access follows.
  const std::uintptr_t first_page = next_, end_page = round_up(first_page + offset_in_page + bytes, page_bytes);
  if (end_page + page_bytes > arena_end_) return nullptr;
  auto* pages = reinterpret_cast<std::byte*>(first_page);
  if (mprotect(pages, end_page - first_page, PROT_READ | PROT_WRITE) != 0) return nullptr;
  next_ = end_page + page_bytes;
  used_bytes_ += bytes;
  const std::uintptr_t start = first_page + offset_in_page;
  allocations_[start] = {start + bytes, Kind::device, live, first_page, end_page};
  auto* words = reinterpret_cast<std::uint16_t*>(start);
  std::fill(words, words + (bytes + 1) / 2, unwritten);
  return words;
}

void* DeviceMemory::allocate_host(std::size_t bytes) {
  const std::size_t mapped_bytes = round_up(std::max<std::size_t>(bytes, 1), page_bytes);
  void* memory = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const std::unique_lock lock(mutex_);
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  allocations_[start] = {start + bytes, Kind::pinned_host, true, start, start + mapped_bytes};
  return memory;
}

bool DeviceMemory::starts(const void* address, Kind kind) const {
  const std::shared_lock lock(mutex_);
  const auto found = allocations_.find(reinterpret_cast<std::uintptr_t>(address));
  return found != allocations_.end() && found->second.kind == kind;
}

void DeviceMemory::release(void* address) {
  const std::unique_lock lock(mutex_);
  const auto found = allocations_.find(reinterpret_cast<std::uintptr_t>(address));
  if (found == allocations_.end()) return;
  const auto& allocation = found->second;
  auto* pages = reinterpret_cast<std::byte*>(allocation.first_page);
  const std::size_t mapped_bytes = allocation.end_page - allocation.first_page;
  if (allocation.kind == Kind::device) {
    madvise(pages, mapped_bytes, MADV_DONTNEED);
    mprotect(pages, mapped_bytes, PROT_NONE);
    used_bytes_ -= allocation.end - found->first;
  } else {
    munmap(pages, mapped_bytes);
  }
  allocations_.erase(found);
}

void DeviceMemory::set_live(const void* address, bool live) {
  const std::unique_lock lock(mutex_);
  const auto found = allocations_.find(reinterpret_cast<std::uintptr_t>(address));
  if (found != allocations_.end()) found->second.live = live;
}

std::size_t DeviceMemory::used_bytes() const {
  const std::shared_lock lock(mutex_);
  return used_bytes_;
}

DeviceMemory::Allocations::const_iterator DeviceMemory::around(std::uintptr_t address) const {
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return allocations_.end();
  --after;
  return address < after->second.end ? after : allocations_.end();
}

bool DeviceMemory::holds(const void* address, std::size_t bytes, Kind kind) const {
  const std::shared_lock lock(mutex_);
  const auto start = reinterpret_cast<std::uintptr_t>(address);
  const auto found = around(start);
  return found != allocations_.end() && found->second.kind == kind && bytes <= found->second.end - start;
}

bool DeviceMemory::touches_device(const void* address, std::size_t bytes) const {
  const std::shared_lock lock(mutex_);
  const auto start = reinterpret_cast<std::uintptr_t>(address);
  return arena_ != 0 && start < arena_end_ && start + bytes > arena_;
}

std::array<std::uintptr_t, 2> DeviceMemory::allocation_of(std::uintptr_t address) const {
  const std::shared_lock lock(mutex_);
  const auto found = around(address);
  if (found == allocations_.end() || !found->second.live) return {0, 0};
  return {found->first, found->second.end};
}

}  // namespace detbench::emulated
