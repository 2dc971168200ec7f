#include "kernels/tensor/digest.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <set>

#include "kernels/tensor/digest_host.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

Digest digest_of(const HostTensor& tensor) { return digest_on_host({&tensor.tensor, 1}); }

/// The sums over chunks, written down from the definition with 128-bit arithmetic, element by element.
DigestLanes lanes_by_definition(const HostTensor& tensor) {
  const TensorSpec& spec = tensor.tensor.spec;
  const std::size_t bytes = size_of(spec.type);
  std::vector<std::byte> text(static_cast<std::size_t>(element_count(spec.shape)) * bytes);
  for_each_index(spec.shape, [&](std::int64_t i, const std::int64_t* index) {
    std::memcpy(text.data() + static_cast<std::size_t>(i) * bytes,
                tensor.memory.data() + static_cast<std::size_t>(spec.layout.offset(index)) * bytes, bytes);
  });
  text.resize((text.size() + 4095) / 4096 * 4096);
  DigestLanes total;
  for (std::size_t chunk = 0; chunk * 4096 < text.size(); ++chunk) {
    for (int lane = 0; lane < 2; ++lane) {
      unsigned __int128 sum = 0;
      for (int i = 0; i < 1024; ++i) {
        std::uint32_t word;
        std::memcpy(&word, text.data() + chunk * 4096 + static_cast<std::size_t>(i) * 4, 4);
        if (lane) word = (word & 0xFFFF) * 65536 + word / 65536;
        sum += static_cast<unsigned __int128>(digest_key(lane, i)) * word;
      }
      total.lane[lane] += digest_chunk_term(lane, static_cast<std::uint64_t>(sum), chunk);
    }
  }
  return total;
}

TEST(Digest, EveryLayoutTypeAndSizeAgreesWithTheDefinition) {
  for (const DataType type :
       {DataType::u8, DataType::f16, DataType::bf16, DataType::f32, DataType::i32, DataType::f64, DataType::i64}) {
    for (const Shape& shape : std::vector<Shape>{{},
                                                 {1},
                                                 {1023},
                                                 {1024},
                                                 {1025},
                                                 {4097},
                                                 {7, 300},
                                                 {2, 5, 7, 37},
                                                 {3, 9, 8, 16},
                                                 {2, 14, 14, 3},
                                                 {2, 19, 3, 3, 21},
                                                 {40, 1, 3, 3, 1}}) {
      HostTensor plain(type, shape);
      randomize(plain.memory, 7);
      const Digest single = finish_digest(plain.tensor.spec, lanes_by_definition(plain));
      const Digest expected = combine({&single, 1});
      for (const MemoryLayout& layout : sample_layouts(shape)) {
        HostTensor view(type, shape, layout);
        randomize(view.memory, 8);  // what lies in the padding must not matter
        copy_elements(plain, view);
        EXPECT_EQ(digest_of(view), expected) << to_text(type) << " " << describe_layout(view.tensor.spec);
      }
    }
  }
}

TEST(Digest, IsTheSameForEveryThreadCountAndInstructionSet) {
  HostTensor plain(DataType::f32, {4, 31, 33, 96}),
      blocked(DataType::f32, {4, 31, 33, 96}, *activation_layout({4, 31, 33, 96}, "nchw16c"));
  randomize(plain.memory, 3);
  copy_elements(plain, blocked);
  const int before = omp_get_max_threads();
  std::set<Digest> seen;
  for (int threads = 1; threads <= 8; ++threads) {
    omp_set_num_threads(threads);
    seen.insert(digest_of(plain));
    seen.insert(digest_of(blocked));
  }
  omp_set_num_threads(before);
  EXPECT_EQ(seen.size(), 1u);
  for (int offset = 0; offset < 9; ++offset) {
    const DigestLanes expected = digest_chunk(plain.memory.data() + offset, 0);
    for (int level = 1; level <= digest_instruction_level(); ++level) {
      const DigestLanes lanes = digest_chunk(plain.memory.data() + offset, level);
      EXPECT_EQ(lanes.lane[0], expected.lane[0]) << level;
      EXPECT_EQ(lanes.lane[1], expected.lane[1]) << level;
    }
  }
}

TEST(Digest, VersionOneIsFrozen) {
  // The number comes from a second implementation, in Python with unbounded integers. Published digests must stay
  // comparable: whoever changes this number makes a new digest version.
  HostTensor t(DataType::f32, {3, 5, 7, 11});
  for (int i = 0; i < 3 * 5 * 7 * 11; ++i) t.as<std::uint32_t>()[i] = static_cast<std::uint32_t>(i) * 2654435761u;
  EXPECT_EQ(digest_version, 1);
  EXPECT_EQ(to_hex(digest_of(t)), "068c4986f99580d613f017a8d6c670ab");
}

TEST(Digest, EverySingleBitFlipChangesBothLanes) {
  HostTensor t(DataType::f32, {2500});  // three chunks, the last one partly filled
  randomize(t.memory, 11);
  const Digest before = digest_of(t);
  for (std::size_t bit = 0; bit < t.memory.size() * 8; ++bit) {
    t.memory[bit / 8] ^= std::byte{1} << bit % 8;
    const Digest after = digest_of(t);
    ASSERT_NE(after.high, before.high) << bit;
    ASSERT_NE(after.low, before.low) << bit;
    t.memory[bit / 8] ^= std::byte{1} << bit % 8;
  }
  EXPECT_EQ(digest_of(t), before);
}

TEST(Digest, EverySwapOfUnequalElementsChangesIt) {
  HostTensor t(DataType::f32, {3000});
  for (int i = 0; i < 3000; ++i) t.as<float>()[i] = static_cast<float>(i % 5);  // small integers: low bits are zero
  const Digest before = digest_of(t);
  for (int i = 0; i < 3000; i += 7) {
    for (int j = i + 1; j < 3000; j += 13) {
      if (i % 5 == j % 5) continue;
      std::swap(t.as<float>()[i], t.as<float>()[j]);
      const Digest after = digest_of(t);
      ASSERT_NE(after.high, before.high);
      ASSERT_NE(after.low, before.low);
      std::swap(t.as<float>()[i], t.as<float>()[j]);
    }
  }
}

TEST(Digest, PermutedRowsAndWholeChunksChangeIt) {
  constexpr int rows = 64, columns = 1024;  // a row is a chunk: terms are the same, only chunk numbers differ
  HostTensor t(DataType::f32, {rows, columns});
  randomize(t.memory, 12);
  std::set<Digest> seen{digest_of(t)};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < i; ++j) {
      const auto swap_rows = [&] {
        std::swap_ranges(t.as<float>() + i * columns, t.as<float>() + (i + 1) * columns, t.as<float>() + j * columns);
      };
      swap_rows();
      EXPECT_TRUE(seen.insert(digest_of(t)).second);
      swap_rows();
    }
  }
}

TEST(Digest, SignOnlyAndTopByteOnlyChangesAreSeen) {
  HostTensor t(DataType::f32, {2048});
  randomize(t.memory, 13);
  std::set<std::uint64_t> high, low;
  std::size_t asked = 0;
  const auto ask = [&] {
    const Digest digest = digest_of(t);
    high.insert(digest.high);
    low.insert(digest.low);
    ++asked;
  };
  ask();
  // Signs of two elements at a time, and of the first k: changes that cancel in many sums.
  for (int i = 0; i < 200; ++i) {
    for (int j = i + 1; j < 200; ++j) {
      for (const int k : {i, j}) t.as<std::uint32_t>()[k * 9] ^= 0x80000000u;
      ask();
      for (const int k : {i, j}) t.as<std::uint32_t>()[k * 9] ^= 0x80000000u;
    }
  }
  for (int top = 1; top < 256; ++top) {
    for (int i = 0; i < 16; ++i) {
      t.as<std::uint32_t>()[i * 100] ^= static_cast<std::uint32_t>(top) << 24;
      ask();
      t.as<std::uint32_t>()[i * 100] ^= static_cast<std::uint32_t>(top) << 24;
    }
  }
  EXPECT_EQ(high.size(), asked);
  EXPECT_EQ(low.size(), asked);
}

TEST(Digest, ZerosSignsPayloadsTypesAndShapesCount) {
  HostTensor plus(DataType::f32, {64}), minus(DataType::f32, {64}), nan_a(DataType::f32, {64}),
      nan_b(DataType::f32, {64});
  minus.as<float>()[5] = -0.0f;
  nan_a.as<std::uint32_t>()[0] = 0x7FC00000u;
  nan_b.as<std::uint32_t>()[0] = 0x7FC00001u;
  std::set<Digest> seen{digest_of(plus), digest_of(minus), digest_of(nan_a), digest_of(nan_b)};
  EXPECT_EQ(seen.size(), 4u);
  // 256 zero bytes under other types and shapes, zeros at the end included.
  seen = {digest_of(plus)};
  std::size_t asked = 1;
  for (const auto& [type, shape] : std::vector<std::pair<DataType, Shape>>{{DataType::i32, {64}},
                                                                           {DataType::f16, {128}},
                                                                           {DataType::bf16, {128}},
                                                                           {DataType::u8, {256}},
                                                                           {DataType::f64, {32}},
                                                                           {DataType::i64, {32}},
                                                                           {DataType::f32, {8, 8}},
                                                                           {DataType::f32, {4, 16}},
                                                                           {DataType::f32, {16, 4}},
                                                                           {DataType::f32, {64, 1}},
                                                                           {DataType::f32, {63}},
                                                                           {DataType::f32, {65}},
                                                                           {DataType::f32, {0}}}) {
    const HostTensor t(type, shape);
    seen.insert(digest_of(t));
    ++asked;
  }
  EXPECT_EQ(seen.size(), asked);
}

TEST(Digest, OrderOfTensorsCounts) {
  HostTensor a(DataType::f32, {10}), b(DataType::f32, {10});
  a.as<float>()[0] = 1;
  const std::vector<Tensor> ab{a.tensor, b.tensor}, ba{b.tensor, a.tensor};
  EXPECT_NE(digest_on_host(ab), digest_on_host(ba));
  EXPECT_NE(digest_on_host(ab), digest_on_host({ab.data(), 1}));
  const Digest one{1, 2}, two{3, 4};
  const std::vector<Digest> pairs[] = {{one, two}, {two, one}, {one}, {two}, {}, {one, one}, {one, one, one}};
  std::set<Digest> seen;
  for (const auto& digests : pairs) seen.insert(combine(digests));
  EXPECT_EQ(seen.size(), std::size(pairs));
}

TEST(Digest, HexRoundTripsAndRefusesOtherText) {
  const Digest digest{0x0123456789abcdefu, 0xfedcba9876543210u};
  EXPECT_EQ(to_hex(digest), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(parse_digest(to_hex(digest)), digest);
  for (const char* text :
       {"", "0", "0123456789abcdeffedcba987654321", "0123456789abcdeffedcba98765432100",
        "0123456789ABCDEFfedcba9876543210", "0123456789abcdeffedcba987654321g", "0x23456789abcdeffedcba987654321012"})
    EXPECT_EQ(parse_digest(text), std::nullopt) << text;
}

TEST(DigestKeys, AreOddAndAllDifferent) {
  std::set<std::uint64_t> keys;
  for (int lane = 0; lane < 2; ++lane) {
    for (int i = 0; i < digest_chunk_words; ++i) {
      EXPECT_EQ(digest_key(lane, i) & 1, 1u);
      keys.insert(digest_key(lane, i));
    }
  }
  EXPECT_EQ(keys.size(), 2u * digest_chunk_words);
}

TEST(DigestChunks, NumbersBeyond32BitsAreTakenWhole) {
  // More than 2^32 words are chunk numbers from 2^22 on; more than 2^32 chunks are 16 TiB.
  HostTensor t(DataType::f32, {1024});
  randomize(t.memory, 31);
  const DigestLanes sum = digest_chunk(t.memory.data(), 0);
  std::set<std::uint64_t> terms[2];
  const std::uint64_t numbers[] = {0,
                                   1,
                                   (1u << 22) - 1,
                                   1u << 22,
                                   (1u << 22) + 1,
                                   std::uint64_t{1} << 32,
                                   (std::uint64_t{1} << 32) + 1,
                                   std::uint64_t{1} << 51};
  for (const std::uint64_t number : numbers) {
    const DigestLanes terms_of_bytes = digest_bytes(t.memory.data(), 4096, number);
    for (int lane = 0; lane < 2; ++lane) {
      EXPECT_EQ(terms_of_bytes.lane[lane], digest_chunk_term(lane, sum.lane[lane], number));
      terms[lane].insert(terms_of_bytes.lane[lane]);
    }
  }
  for (const auto& seen : terms) EXPECT_EQ(seen.size(), std::size(numbers));
  EXPECT_EQ(digest_chunk_count((std::int64_t{1} << 34) * 4), std::int64_t{1} << 24);
  EXPECT_EQ(digest_chunk_count((std::int64_t{1} << 36) + 1), (std::int64_t{1} << 24) + 1);
}

TEST(DigestChunks, PiecesOfOneStringAddUp) {
  HostTensor t(DataType::f32, {5000});
  randomize(t.memory, 32);
  const std::uint64_t base = (std::uint64_t{1} << 33) - 2;  // chunk numbers that cross a power of two
  const DigestLanes whole = digest_bytes(t.memory.data(), 20000, base);
  DigestLanes sum;
  for (std::int64_t begin = 0; begin < 20000; begin += 4096) {
    const DigestLanes part = digest_bytes(t.memory.data() + begin, std::min<std::int64_t>(4096, 20000 - begin),
                                          base + static_cast<std::uint64_t>(begin / 4096));
    for (int lane = 0; lane < 2; ++lane) sum.lane[lane] += part.lane[lane];
  }
  for (int lane = 0; lane < 2; ++lane) EXPECT_EQ(whole.lane[lane], sum.lane[lane]);
}

}  // namespace
}  // namespace detbench
