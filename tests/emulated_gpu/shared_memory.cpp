#include "tests/emulated_gpu/shared_memory.hpp"

#include <algorithm>

namespace detbench::emulated {

void SharedAccesses::reset(std::size_t bytes) {
  words_.resize((bytes + 3) / 4);
  next_epoch();
}

void SharedAccesses::next_epoch() {
  if (++epoch_ != 0) return;
  std::fill(words_.begin(), words_.end(), Word{});
  epoch_ = 1;
}

bool SharedAccesses::clashes(const Word& word, unsigned bytes, std::uint32_t warp, Access access) const {
  if (word.epoch != epoch_) return false;
  const bool others_wrote = word.writer != nobody && word.writer != warp && (word.written & bytes) != 0;
  if (others_wrote && !(access == Access::atomic && word.atomic)) return true;
  if (access == Access::read) return false;
  return (word.read_by_many & bytes) != 0 || (word.reader != nobody && word.reader != warp && (word.read & bytes) != 0);
}

void SharedAccesses::remember(Word& word, unsigned bytes, std::uint32_t warp, Access access) const {
  if (word.epoch != epoch_) {
    word = Word{};
    word.epoch = epoch_;
  }
  const auto me = static_cast<std::uint8_t>(warp);
  const bool is_atomic = access == Access::atomic;
  if (access == Access::read) {
    if (word.reader != me) {
      if (word.reader != nobody) word.read_by_many |= word.read & bytes;
      word.reader = me;
      word.read = 0;
    }
    word.read |= bytes & 15;
  } else if (word.writer == me) {
    word.atomic = word.atomic && is_atomic;
    word.written |= bytes & 15;
  } else {
    const bool both_atomic = is_atomic && word.atomic && word.writer != nobody && (word.written & bytes) != 0;
    word.writer = both_atomic ? several : me;
    word.atomic = is_atomic;
    word.written = bytes & 15;
  }
}

}  // namespace detbench::emulated
