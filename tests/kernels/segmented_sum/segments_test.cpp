// Where segments begin and who takes which piece, against brute force.
#include "kernels/segmented_sum/segments.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "kernels/segmented_sum/segmented_problem.hpp"
#include "segment_runner.hpp"

namespace detbench::segmented_sum {
namespace {

struct Cut {
  std::vector<std::int64_t> cuts;
  Segments segments;
  Cut(std::int64_t n, std::int64_t count, bool skewed) : cuts(testing::random_cuts(count)), segments{n, count, skewed, cuts.data()} {}
};

TEST(Segments, CoverTheVectorInOrder) {
  for (const bool skewed : {false, true})
    for (const std::int64_t count : {1, 2, 3, 4, 5, 7, 64, 1000})
      for (const std::int64_t n : {1, 2, 3, 10, 999, 100000}) {
        const Cut cut(n, count, skewed);
        const Segments& segments = cut.segments;
        EXPECT_EQ(segments.offset(0), 0);
        EXPECT_EQ(segments.offset(count), n);
        std::int64_t longest = 0, shortest = n;
        for (std::int64_t s = 0; s < count; ++s) {
          ASSERT_GE(segments.length(s), 0) << n << " " << count << " " << s;
          longest = std::max(longest, segments.length(s)), shortest = std::min(shortest, segments.length(s));
        }
        if (skewed) {
          EXPECT_GE(longest, n / 2);
        } else {
          EXPECT_LE(longest - shortest, 1);
        }
      }
}

TEST(Segments, SkewedOnesVaryAndEveryFourthIsEmpty) {
  const Cut cut(1 << 20, 1000, true);
  std::int64_t empty = 0;
  std::map<std::int64_t, int> lengths;
  for (std::int64_t s = 0; s < 1000; ++s) ++lengths[cut.segments.length(s)], empty += cut.segments.length(s) == 0;
  EXPECT_NEAR(static_cast<double>(empty), 250, 2);
  EXPECT_GT(lengths.size(), 300u);
  EXPECT_GE(cut.segments.length(500), 1 << 19);
  EXPECT_LT(cut.segments.length(500), (1 << 19) + (1 << 12));
}

TEST(Segments, TheSegmentOfAPositionIsTheOneThatHoldsIt) {
  for (const bool skewed : {false, true})
    for (const std::int64_t count : {1, 2, 3, 40, 500, 3000}) {
      const Cut cut(997, count, skewed);
      SegmentCursor cursor(cut.segments, 0);
      for (std::int64_t i = 0; i < 997; ++i) {
        const std::int64_t s = cut.segments.holding(i);
        ASSERT_TRUE(cut.segments.offset(s) <= i && i < cut.segments.offset(s + 1)) << count << " " << i;
        EXPECT_EQ(cursor.at(i), s);
        if (i % 97 == 0) {
          EXPECT_EQ(SegmentCursor(cut.segments, i).at(i), s);
        }
      }
      for (std::int64_t p = 0; p <= 998; ++p) {
        std::int64_t first = 0;
        while (first < count && cut.segments.offset(first) < p) ++first;
        ASSERT_EQ(cut.segments.first_from(p), first) << count << " " << p;
      }
    }
}

// Every element is in one short segment or one piece, every place is written once, and joining finds the pieces in order.
TEST(Segments, WindowsShareAllWorkOut) {
  for (const std::int64_t window : {1, 4, 16, 64})
    for (const bool skewed : {false, true})
      for (const std::int64_t count : {1, 2, 3, 7, 40, 500, 2000})
        for (const std::int64_t n : {1, 15, 16, 17, 640, 997}) {
          const Cut cut(n, count, skewed);
          const Windows windows{n, window};
          std::vector<int> elements(static_cast<std::size_t>(n)), segments(static_cast<std::size_t>(count));
          struct Piece {
            std::int64_t segment, begin, length;
          };
          std::map<std::int64_t, Piece> places;
          for (std::int64_t w = 0; w < windows.count(); ++w)
            visit_window(
                cut.segments, windows, w,
                [&](std::int64_t s, std::int64_t begin, std::int64_t length) {
                  ++segments[static_cast<std::size_t>(s)];
                  ASSERT_EQ(begin, cut.segments.offset(s));
                  ASSERT_EQ(length, cut.segments.length(s));
                  for (std::int64_t i = begin; i < begin + length; ++i) ++elements[static_cast<std::size_t>(i)];
                },
                [&](std::int64_t s, std::int64_t place, std::int64_t begin, std::int64_t length, std::int64_t first_window) {
                  ASSERT_TRUE(places.insert({place, {s, begin, length}}).second) << "a place is written twice";
                  ASSERT_TRUE(place >= 0 && place < windows.places());
                  ASSERT_EQ(long_segment_of(cut.segments, windows, first_window), s);
                  for (std::int64_t i = begin; i < begin + length; ++i) ++elements[static_cast<std::size_t>(i)];
                });
          for (std::int64_t w = 0; w < windows.count(); ++w) {
            const std::int64_t s = long_segment_of(cut.segments, windows, w);
            if (s < 0) continue;
            ++segments[static_cast<std::size_t>(s)];
            std::int64_t at = cut.segments.offset(s);
            for (std::int64_t p = 0; p < windows.pieces(cut.segments.length(s)); ++p) {
              const auto piece = places.find(Windows::place_of_piece(w, p));
              ASSERT_NE(piece, places.end());
              EXPECT_EQ(piece->second.segment, s);
              EXPECT_EQ(piece->second.begin, at);
              at += piece->second.length;
              places.erase(piece);
            }
            EXPECT_EQ(at, cut.segments.offset(s + 1));
          }
          EXPECT_TRUE(places.empty());
          EXPECT_EQ(elements, std::vector<int>(static_cast<std::size_t>(n), 1)) << n << " " << count << " " << window;
          EXPECT_EQ(segments, std::vector<int>(static_cast<std::size_t>(count), 1)) << n << " " << count << " " << window;
        }
}

// A plan says that no order can show where at most two partial sums meet, so their number must never be too small.
TEST(Segments, PartsThatASegmentReachesIntoAreNeverTooFew) {
  for (const bool skewed : {false, true})
    for (const std::int64_t count : {1, 2, 3, 4, 7, 16, 20, 40, 500})
      for (const std::int64_t n : {1, 15, 16, 17, 640, 997, 1024}) {
        const Cut cut(n, count, skewed);
        const SegmentedProblem problem{n, count, skewed};
        const auto most = [&](auto&& part_of) {
          std::int64_t found = 1;
          for (std::int64_t s = 0; s < count; ++s)
            if (cut.segments.length(s) > 0) found = std::max(found, part_of(cut.segments.offset(s + 1) - 1) - part_of(cut.segments.offset(s)) + 1);
          return found;
        };
        for (const std::int64_t part : {1, 3, 16, 32, 64}) {
          const std::int64_t found = most([&](std::int64_t i) { return i / part; }), said = problem.most_parts_of(part);
          EXPECT_GE(said, found) << n << " " << count << " " << part;
          if (!skewed && n % count == 0 && (part % (n / count) == 0 || n / count % part == 0)) {
            EXPECT_EQ(said, found) << n << " " << count << " " << part;
          }
        }
        for (const std::int64_t team : {2, 3, 5, 8}) {  // thread t has the elements n t / team .. n (t + 1) / team - 1
          const auto thread_of = [&](std::int64_t i) {
            std::int64_t t = 0;
            while (n * (t + 1) / team <= i) ++t;
            return t;
          };
          EXPECT_GE(std::min(team, problem.most_parts_of(std::max<std::int64_t>(1, n / team), n % team == 0)), most(thread_of)) << n << " " << count << " " << team;
        }
      }
  EXPECT_EQ((SegmentedProblem{997, 10}.most_parts_of(32)), 5);   // 100 elements from the last of a row on: 1 + 32 + 32 + 32 + 3
  EXPECT_EQ((SegmentedProblem{1024, 16}.most_parts_of(32)), 2);  // 64 elements, from a row's first on
  EXPECT_EQ((SegmentedProblem{1000, 16}.most_parts_of(32)), 3);  // 63, from anywhere
}

}  // namespace
}  // namespace detbench::segmented_sum
