// The channel-wise operations on a GPU, where there is one: every arm against the reference, the fixed order against the CPU's
// bits. Without one: what the kernels' threads do, run by the host one after the other.
#include "kernels/channelwise/channelwise.hpp"
#include "kernels/channelwise/element_kernels.hpp"
#include "kernels/normalization/element_walk.hpp"
#include "tests/kernels/device_runner.hpp"
#include "tests/kernels/plan_runner.hpp"

namespace detbench {
namespace {

class GpuChannelwise : public testing::OnGpu {};

const char* const gpu_types[] = {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"};

TEST_F(GpuChannelwise, EveryArmIsAcceptedAndOursHasTheCpusBits) {
  for (const auto& operation : make_channelwise_operations())
    for (const char* types : gpu_types)
      for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h9_w9", "mb2_c70_h33_w31", "mb32_c96_h28_w28", "mb300_c5_h2_w1"})
        for (const char* layout : {"nhwc", "nchw"})
          for (const auto fill : {InputFill::rounding, InputFill::wide}) {
            const Problem problem{std::string(operation->op()), shape, types, layout};
            EXPECT_GE(testing::verify_offers(*operation, problem, {fill, 5}, *device_), 1);
            testing::expect_cpu_bits(*operation, problem, operation->op() == "scale_channels_bwd" ? "fixed_order:chunks512" : "fixed_order:elementwise", {fill, 5}, *device_);
          }
}

template <bool ChannelsLast, class Stored>
void simulate(const Operation& operation, const Problem& problem) {
  using Word = typename Stored::Word;
  const auto p = parse_channelwise(problem).value();
  const char* algorithm = p.pass == ChannelwisePass::scale_backward ? "chunks512" : "elementwise";
  testing::PlanRunner runner;
  auto plan = operation.find_provider("fixed_order")->plan(problem, {"fixed_order", algorithm, {}, {}}, runner.device()).value();
  ASSERT_TRUE(runner.run(*plan, operation, problem, {InputFill::rounding, 9}));
  const auto in = [&](std::size_t i) { return static_cast<const Word*>(runner.inputs()[i].region.data); };
  const reduction::ChannelMemory image{p.plane(), p.plane(), p.channels};
  std::vector<Word> out(static_cast<std::size_t>(p.batch * p.plane() * p.channels)), scales(static_cast<std::size_t>(p.batch * p.channels));
  const auto visit = [&](const auto& work) {
    const std::int64_t warps = normalization::fewest_warps<ChannelsLast>(image) + 5;
    for (std::int64_t n = 0; n < p.batch; ++n)
      for (std::int64_t warp = 0; warp < warps; ++warp)
        for (int lane = 0; lane < 32; ++lane)
          normalization::visit_for_thread<ChannelsLast>(image, warp, warps, lane, work.of_image(n, image.plane * image.channels, image.channels));
  };
  if (p.pass == ChannelwisePass::scale_forward) visit(channelwise::ScaleElements<Stored>{in(0), in(1), out.data()});
  if (p.pass == ChannelwisePass::bias_add)
    visit(channelwise::AddBias<Stored>{in(0), static_cast<const float*>(runner.inputs()[1].region.data), out.data()});
  if (p.pass == ChannelwisePass::scale_backward) {
    const channelwise::ScaleGradient<Stored> work{in(0), in(1), in(2), out.data(), image};
    const std::int64_t chunks = channelwise::chunk_count(p.plane());
    std::vector<float> partials(static_cast<std::size_t>(p.batch * chunks * p.channels));
    for (std::int64_t n = 0; n < p.batch; ++n)
      for (std::int64_t block = 0; block < channelwise::image_blocks<ChannelsLast>(p.plane(), p.channels); ++block) {
        float shared[reduction::channel_lanes][reduction::channel_slots] = {};
        const auto place = [&](int slot) { return reduction::slot_work<ChannelsLast>(block, slot, chunks, p.channels); };
        for (int thread = 0; thread < reduction::channel_threads; ++thread) {
          const int lane = reduction::lane_of_thread<ChannelsLast>(thread), slot = reduction::slot_of_thread<ChannelsLast>(thread);
          if (place(slot).channel < p.channels) shared[lane][slot] = work.template lane_sum<ChannelsLast>(n, place(slot).chunk, place(slot).channel, lane);
        }
        for (int slot = 0; slot < reduction::channel_slots; ++slot)
          if (place(slot).channel < p.channels)
            partials[static_cast<std::size_t>((n * chunks + place(slot).chunk) * p.channels + place(slot).channel)] =
                reduction::fold_channel_lanes(&shared[0][slot], reduction::channel_slots);
      }
    for (std::int64_t n = 0; n < p.batch; ++n)
      for (std::int64_t c = 0; c < p.channels; ++c)
        scales[static_cast<std::size_t>(n * p.channels + c)] =
            Stored::store(channelwise::meet_chunks(chunks, [&](std::int64_t k) { return partials[static_cast<std::size_t>((n * chunks + k) * p.channels + c)]; }));
    EXPECT_EQ(std::memcmp(scales.data(), runner.outputs()[1].region.data, scales.size() * sizeof(Word)), 0) << problem_id(problem);
  }
  EXPECT_EQ(std::memcmp(out.data(), runner.outputs()[0].region.data, out.size() * sizeof(Word)), 0) << problem_id(problem);
}

TEST(ChannelwiseKernels, TheirThreadsGiveTheCpusBits) {
  for (const auto& operation : make_channelwise_operations())
    for (const char* types : gpu_types)
      for (const char* shape : {"mb1_c1_h1_w1", "mb3_c37_h9_w9", "mb2_c70_h33_w31", "mb9_c5_h2_w1"})
        for (const bool last : {true, false}) {
          const Problem problem{std::string(operation->op()), shape, types, last ? "nhwc" : "nchw"};
          const auto check = [&]<class Stored>(Stored) { last ? simulate<true, Stored>(*operation, problem) : simulate<false, Stored>(*operation, problem); };
          if (types[0] == 'b') check(reduction::StoredBf16{});
          else if (types[1] == '1') check(reduction::StoredF16{});
          else check(reduction::StoredF32{});
        }
}

}  // namespace
}  // namespace detbench
