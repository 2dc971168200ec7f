// GB/s of every algorithm for one sum or dot product, as a hint while writing kernels:
// reduction_throughput [OP/SHAPE/TYPES/vector] [rounds] [threads] [cuda]. The median of ratios is to the first algorithm.
// Rounds interleave the algorithms, so a change of the machine's load meets all of them. Published numbers come from
// detbench's own instrument, never from here.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "kernels/reduction/sum.hpp"

namespace {

using namespace detbench;

struct Arm {
  Algorithm algorithm;
  std::unique_ptr<Buffer> output, workspace;
  std::unique_ptr<Op> op;
  std::vector<double> seconds;
};

template <class T>
T take(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().text.c_str());
    std::exit(3);
  }
  return std::move(*result);
}
void demand(Status status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().text.c_str());
  std::exit(3);
}

}  // namespace

int main(int count, char** arguments) {
  const Problem problem = take(parse_problem_id(count > 1 ? arguments[1] : "sum/n16777216/f32_f32_strict/vector"));
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 15;
  DeviceConfiguration configuration;
  if (count > 3) configuration.threads = std::atoi(arguments[3]);

  const bool cuda = count > 4 && std::strcmp(arguments[4], "cuda") == 0;
  const auto device = take(cuda ? make_cuda_device(configuration) : make_cpu_device(configuration));
  demand(device->activate());
  const auto stream = take(device->make_stream());
  const auto operation = problem.op == "dot" ? make_dot_operation() : make_sum_operation();
  demand(operation->check(problem));

  std::vector<std::unique_ptr<Buffer>> inputs;
  std::vector<Arm> arms;
  for (const auto& provider : operation->providers())
    for (auto& offer : take(provider->offers(problem, *device))) {
      if (offer.unsupported) {
        std::printf("%-46s %s\n", algorithm_id(offer.algorithm).c_str(), offer.unsupported->text.c_str());
        continue;
      }
      const auto plan = take(provider->plan(problem, offer.algorithm, *device));
      const TensorSpec& out = plan->outputs()[0];
      std::vector<Tensor> sources;
      for (const TensorSpec& in : plan->inputs()) {
        if (inputs.size() == sources.size()) {
          inputs.push_back(take(device->allocate(in.bytes())));
          demand(device->fill({in, inputs.back()->region()}, take(operation->fill(problem, in, {})), *stream));
        }
        sources.push_back({in, inputs[sources.size()]->region()});
      }
      Arm arm{offer.algorithm,
              take(device->allocate(out.bytes())),
              take(device->allocate(std::max<std::size_t>(64, plan->workspace_bytes()))),
              {},
              {}};
      const Tensor target{out, arm.output->region()};
      arm.op = take(plan->bind(sources, {&target, 1}, arm.workspace->region(), *stream));
      arms.push_back(std::move(arm));
    }

  for (int round = -1; round < rounds; ++round)
    for (Arm& arm : arms) {
      const auto start = take(device->make_event()), stop = take(device->make_event());
      demand(stream->record(*start));
      demand(arm.op->enqueue());
      demand(stream->record(*stop));
      demand(stream->wait());
      if (round >= 0) arm.seconds.push_back(take(stop->seconds_since(*start)));
    }

  const double bytes = operation->cost(problem).bytes;
  std::printf("%-46s %10s %10s %10s\n", "algorithm", "best GB/s", "median", "ratio");
  const std::vector<double> first = arms.front().seconds;
  for (Arm& arm : arms) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < first.size(); ++round) ratios.push_back(first[round] / arm.seconds[round]);
    std::sort(ratios.begin(), ratios.end());
    std::sort(arm.seconds.begin(), arm.seconds.end());
    std::printf("%-46s %10.2f %10.2f %10.3f\n", algorithm_id(arm.algorithm).c_str(), bytes / arm.seconds.front() * 1e-9,
                bytes / arm.seconds[arm.seconds.size() / 2] * 1e-9, ratios[ratios.size() / 2]);
  }
}
