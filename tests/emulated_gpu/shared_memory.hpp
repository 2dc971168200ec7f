// Finds warps of a block that touch the same shared memory without a barrier between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace detbench::emulated {

enum class Access : std::uint8_t { read, write, atomic };

/// Who touched each 4-byte word since the block's last barrier. Two warps clash on a byte when one of them writes it and not both
/// do so atomically. Of warps that touch different bytes of a word the last is remembered: what is forgotten hides a clash, it never
/// feigns one.
class SharedAccesses {
 public:
  /// Forgets everything; `bytes` of shared memory.
  void reset(std::size_t bytes);
  /// A barrier: what came before is ordered before what comes after.
  void next_epoch();

  /// Notes an access within one word: `bytes` has a bit per byte of it, `warp` is below 64. False, and nothing noted, where it
  /// clashes.
  bool note(std::uint32_t word, unsigned bytes, std::uint32_t warp, Access access) {
    Word& known = words_[word];
    if (known.epoch == epoch_) {
      const bool mine_alone = known.reader == warp || known.reader == nobody;
      if (access == Access::read) {
        const bool noted = (known.reader == warp && (known.read & bytes) == bytes) || (known.read_by_many & bytes) == bytes;
        if (noted && (known.writer == warp || known.writer == nobody)) return true;
      } else if (access == Access::write && mine_alone && known.writer == warp && !known.atomic && (known.written & bytes) == bytes && (known.read_by_many & bytes) == 0) {
        return true;
      }
    }
    if (clashes(known, bytes, warp, access)) return false;
    remember(known, bytes, warp, access);
    return true;
  }
  /// Notes an access that clashes all the same.
  void note_anyway(std::uint32_t word, unsigned bytes, std::uint32_t warp, Access access) { remember(words_[word], bytes, warp, access); }

 private:
  static constexpr std::uint8_t nobody = 0xff, several = 0xfe;
  /// Valid in one epoch: who read and who wrote, with the bytes of it.
  struct Word {
    std::uint32_t epoch = 0;
    std::uint8_t writer = nobody, reader = nobody;
    std::uint8_t written : 4 = 0, read : 4 = 0;
    std::uint8_t read_by_many : 4 = 0, atomic : 1 = 0;  ///< atomic: all that `writer` wrote
  };
  bool clashes(const Word& word, unsigned bytes, std::uint32_t warp, Access access) const;
  void remember(Word& word, unsigned bytes, std::uint32_t warp, Access access) const;

  std::vector<Word> words_;
  std::uint32_t epoch_ = 1;
};

}  // namespace detbench::emulated
