#include "bench/workers/messages.hpp"

#include <gtest/gtest.h>

namespace detbench {
namespace {

TEST(Messages, ProbeSettingsKeepEveryField) {
  ProbeSettings settings;
  settings.inputs = {InputFill::wide, 77};
  settings.repeat = 3;
  settings.load = 4;
  settings.configurations = 5;
  settings.batches = 6;
  settings.left_out = {Scope::capture, Scope::batch};
  settings.base = {.threads = 6, .alignment_bytes = 512, .offset_bytes = 32, .placement_seed = 1234567890123456789u,
                   .allocator = Allocator::pool, .sm_count_target = 66, .multiprocessors = 64};
  settings.slow_limit_s = 0.1;
  settings.load_limit_s = 0.2;
  settings.oversubscribe_limit_s = 0.3;
  const auto read = read_probe_settings(Json::parse(to_json(settings).dump()));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(to_json(*read), to_json(settings));
  EXPECT_EQ(read->left_out, settings.left_out);
  EXPECT_EQ(read->batches, 6u);
  EXPECT_EQ(read->base.allocator, Allocator::pool);
  EXPECT_EQ(read->base.sm_count_target, 66);
  EXPECT_EQ(read->base.multiprocessors, 64);
  EXPECT_EQ(read->base.placement_seed, settings.base.placement_seed);

  auto torn = to_json(settings);
  torn["base"].erase("allocator");
  EXPECT_FALSE(read_probe_settings(torn));
}

}  // namespace
}  // namespace detbench
