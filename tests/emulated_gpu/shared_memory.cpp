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

bool SharedAccesses::note(std::uint32_t index, unsigned bytes, std::uint32_t warp, Access access, bool unchanged, std::uint32_t& other_warp) {
  Word& word = words_[index];
  if (word.epoch != epoch_) word = Word{.epoch = epoch_};
  const auto me = static_cast<std::uint16_t>(warp);
  const bool is_atomic = access == Access::atomic;
  const bool others_wrote = word.writer != nobody && word.writer != me && (word.written & bytes) != 0;
  if (!unchanged) {
    if (others_wrote && !(is_atomic && word.atomic)) {
      other_warp = word.writer;
      return false;
    }
    const bool others_read = (word.read_by_many & bytes) != 0 || (word.reader != nobody && word.reader != me && (word.read & bytes) != 0);
    if (access != Access::read && others_read) {
      other_warp = word.reader;
      return false;
    }
  }
  // Of warps that touch different bytes of the word the last is remembered: what is forgotten hides a clash, it never feigns one.
  if (access == Access::read) {
    if (word.reader != me) {
      if (word.reader != nobody) word.read_by_many = static_cast<std::uint8_t>(word.read_by_many | (word.read & bytes));
      word.reader = me;
      word.read = 0;
    }
    word.read = static_cast<std::uint8_t>(word.read | bytes);
  } else if (word.writer == me) {
    word.atomic = word.atomic && is_atomic;
    word.written = static_cast<std::uint8_t>(word.written | bytes);
  } else {
    word.writer = others_wrote && is_atomic && word.atomic ? several : me;
    word.atomic = is_atomic;
    word.written = static_cast<std::uint8_t>(bytes);
  }
  return true;
}

}  // namespace detbench::emulated
