// Every provider's rows on a CPU: what is offered runs and agrees with fp64, what is not has a reason.
#include <gtest/gtest.h>

#include <set>

#include "fused_shapes.hpp"
#include "kernels/device/onednn.hpp"
#include "kernels/fused_convolution/operation.hpp"
#include "tests/kernels/convolution/legacy_device_runner.hpp"

namespace detbench {
namespace {

TEST(FusedProviders, AgreeWithFp64OnACpu) {
  auto device = make_cpu_device();
  ASSERT_TRUE(device);
  ASSERT_TRUE((*device)->activate());
  std::map<std::string, int> ran;
  const auto operations = make_fused_convolution_operations();
  for (std::size_t i = 0; i < operations.size(); ++i)
    for (const auto storage : {DataType::f32, DataType::bf16})
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto& p : testing::small_fused(all_fused_patterns[i], storage, layout)) {
          if (storage == DataType::bf16 && p.layout == "nchw") continue;  // fixed_order_test.cpp has it
          const auto problem = to_problem(p);
          for (const auto fill : {InputFill::exact, InputFill::rounding}) {
            const auto reference = operations[i]->reference(problem, {fill, 5});
            ASSERT_TRUE(reference) << reference.error().text;
            std::set<std::string> ids;
            for (const auto& provider : operations[i]->providers()) {
              const auto offers = provider->offers(problem, **device);
              ASSERT_TRUE(offers) << offers.error().text;
              ASSERT_FALSE(offers->empty());
              for (const auto& offer : *offers) {
                const auto id = case_id(problem, offer.algorithm);
                EXPECT_TRUE(ids.insert(id).second) << id << " is offered twice";
                EXPECT_TRUE(parse_case_id(id)) << id;
                if (offer.unsupported) {
                  EXPECT_FALSE(offer.unsupported->text.empty()) << id;
                  continue;
                }
                const auto found = testing::verify_once(**device, *operations[i], problem, offer.algorithm, {fill, 5}, **reference,
                                                        fill == InputFill::exact ? Poison::nan_pattern : Poison::random);
                ASSERT_TRUE(found) << id << ": " << found.error().text;
                EXPECT_TRUE(found->passed) << id << ": " << found->reason;
                ++ran[offer.algorithm.provider];
              }
            }
          }
        }
  EXPECT_EQ(ran["fixed_order"], 2 * 3 * 12 * 2);
  if (onednn_version()) {
    EXPECT_GE(ran["onednn"], 2 * 12 * 2);  // f32 at least, in both layouts
  }
}

}  // namespace
}  // namespace detbench
