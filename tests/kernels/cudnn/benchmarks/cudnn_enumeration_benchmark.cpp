// Enumerates and validates cuDNN's configurations for every convolution of MobileNetV2 in three passes, without a GPU:
//   cudnn_enumeration_benchmark [types] [layout] [tiers] [threads] [batch] [architecture]
// defaults f32_f32_strict nhwc t0,t1 2 32 sm_90. The target is under 30 s on two cores.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "kernels/convolution/graph_cudnn.hpp"
#include "kernels/cudnn/version.hpp"
#include "models/mobilenet_v2.hpp"
#include "models/problems.hpp"

int main(int argc, char** argv) {
  using namespace detbench;
  const auto argument = [&](int i, const char* otherwise) { return std::string(argc > i ? argv[i] : otherwise); };
  const auto types = argument(1, "f32_f32_strict"), layout = argument(2, "nhwc"), architecture = argument(6, "sm_90");
  const auto tiers = parse_tiers(argument(3, "t0,t1"));
  const int threads = std::atoi(argument(4, "2").c_str()), batch = std::atoi(argument(5, "32").c_str());
  const auto target = cudnn::Target::of_architecture(architecture);
  const auto network = make_mobilenet_v2(1.0, 224, 1000);
  if (!tiers || !target || !network || threads < 1 || batch < 1) {
    std::fprintf(stderr, "%s\n", !tiers ? tiers.error().text.c_str() : !target ? target.error().text.c_str() : !network ? network.error().text.c_str() : "threads and batch are at least 1");
    return 2;
  }
  std::vector<LayerProblem> problems;
  for (const char* op : {"conv_fwd", "conv_dgrad", "conv_wgrad"}) {
    const auto posed = op == std::string("conv_wgrad") ? weight_gradient_types(types, WeightGradients::as_data) : types;
    for (auto& p : convolution_problems(*network, batch, op, posed, layout)) problems.push_back(std::move(p));
  }
  AlgorithmSearch search;
  search.tiers = *tiers;

  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::size_t offered = 0, runnable = 0, failed = 0;
  double slowest_s = 0;
  std::string slowest;
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); };
  const auto start = Clock::now();
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < problems.size(); i = next++) {
        const auto begin = Clock::now();
        const auto p = parse_convolution(problems[i].problem);
        const auto offers = p ? convolution_offers(*p, *target, search) : Result<std::vector<Offer>>(tl::unexpected(p.error()));
        const double elapsed_s = seconds(begin);
        const std::lock_guard lock(mutex);
        if (!offers) {
          ++failed;
          std::fprintf(stderr, "%s: %s\n", problem_id(problems[i].problem).c_str(), offers.error().text.c_str());
          continue;
        }
        offered += offers->size();
        for (const auto& offer : *offers) runnable += !offer.unsupported;
        if (elapsed_s > slowest_s) slowest_s = elapsed_s, slowest = problem_id(problems[i].problem);
      }
    });
  for (auto& worker : workers) worker.join();
  std::printf("cuDNN %s, %s, driver library %s, %s, %s, tiers %s, batch %d, %d threads\n", cudnn_version().value_or("?").c_str(), architecture.c_str(),
              cudnn::driver_library_present() ? "present" : "absent", types.c_str(), layout.c_str(), format_tiers(*tiers).c_str(), batch, threads);
  std::printf("%zu problems, %zu arms offered, %zu can run, %zu problems failed: %.2f s; slowest %.2f s: %s\n", problems.size(), offered, runnable, failed,
              seconds(start), slowest_s, slowest.c_str());
  return failed == 0 ? 0 : 1;
}
