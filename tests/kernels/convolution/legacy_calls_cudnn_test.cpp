// The descriptors of the legacy API, which need a library but no GPU.
#include "kernels/convolution/legacy_calls_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/convolution/pad.hpp"
#include "shapes.hpp"

namespace detbench::legacy {
namespace {

/// The library counts the same output sizes for every problem in its symmetric form, in every direction, layout and type.
TEST(LegacyCalls, StateEveryProblem) {
  const auto library = cudnn::library();
  if (!library) GTEST_SKIP() << library.error().text;
  for (auto p : testing::small_shapes())
    for (const auto direction : all_directions)
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16}) {
          p.direction = direction, p.layout = layout, p.types.storage = storage;
          auto calls = Calls::make(**library, symmetric_form(p).problem);
          ASSERT_TRUE(calls) << problem_id(to_problem(p)) << ": " << calls.error().text;
          for (const auto math : all_math) EXPECT_TRUE(calls->set_math(math));
          EXPECT_TRUE(Calls::make(**library, symmetric_form(p).problem, true));
          auto moved = std::move(*calls);  // the plan keeps them so; destroying the moved-from one must not free twice
          EXPECT_TRUE(moved.set_math(Math::fma));
        }
}

TEST(LegacyCalls, RefuseUnequalPadsAndBlockedLayouts) {
  const auto library = cudnn::library();
  if (!library) GTEST_SKIP() << library.error().text;
  EXPECT_FALSE(Calls::make(**library, testing::small_shapes()[0]));
  auto p = testing::small_shapes()[1];
  p.layout = "blocked";
  EXPECT_FALSE(Calls::make(**library, p));
}

}  // namespace
}  // namespace detbench::legacy
