// Finds warps of a block that touch the same shared memory without a barrier between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace detbench::emulated {

enum class Access : std::uint8_t { read, write, atomic };

/// Who touched each 4-byte word since the block's last barrier. Two warps clash on a byte when one of them writes it and not both
/// do so atomically. Stores of what is there already clash with nothing, as many kernels let all threads store one value.
class SharedAccesses {
 public:
  /// Forgets everything; `bytes` of shared memory.
  void reset(std::size_t bytes);
  /// A barrier: what came before is ordered before what comes after.
  void next_epoch();
  /// Notes an access within one word: `bytes` has a bit per byte of it. `unchanged`: a store of what is there already. False where
  /// it clashes; `other_warp` is then whom with.
  bool note(std::uint32_t word, unsigned bytes, std::uint32_t warp, Access access, bool unchanged, std::uint32_t& other_warp);

 private:
  /// Valid in one epoch: who read and who wrote, with the bytes of it.
  struct Word {
    std::uint32_t epoch = 0;
    std::uint16_t writer = nobody, reader = nobody;
    std::uint8_t written = 0, read = 0, read_by_many = 0;
    bool atomic = false;  ///< all that `writer` wrote
  };
  static constexpr std::uint16_t nobody = 0xffff, several = 0xfffe;
  std::vector<Word> words_;
  std::uint32_t epoch_ = 1;
};

}  // namespace detbench::emulated
