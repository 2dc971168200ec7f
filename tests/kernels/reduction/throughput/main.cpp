// GB/s of every algorithm for one sum, as a hint while writing kernels: reduction_throughput [n] [rounds] [threads].
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
  const std::string n = count > 1 ? arguments[1] : "16777216";
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 15;
  DeviceConfiguration configuration;
  if (count > 3) configuration.threads = std::atoi(arguments[3]);

  const bool cuda = count > 4 && std::strcmp(arguments[4], "cuda") == 0;
  const auto device = take(cuda ? make_cuda_device(configuration) : make_cpu_device(configuration));
  demand(device->activate());
  const auto stream = take(device->make_stream());
  const auto operation = make_sum_operation();
  const Problem problem{"sum", "n" + n, "f32_f32_strict", "vector"};
  demand(operation->check(problem));

  std::unique_ptr<Buffer> input;
  std::vector<Arm> arms;
  for (const auto& provider : operation->providers())
    for (auto& offer : take(provider->offers(problem, *device))) {
      if (offer.unsupported) {
        std::printf("%-46s %s\n", algorithm_id(offer.algorithm).c_str(), offer.unsupported->text.c_str());
        continue;
      }
      const auto plan = take(provider->plan(problem, offer.algorithm, *device));
      const TensorSpec &in = plan->inputs()[0], &out = plan->outputs()[0];
      if (input == nullptr) {
        input = take(device->allocate(in.bytes()));
        demand(device->fill({in, input->region()}, take(operation->fill(problem, in, {})), *stream));
      }
      Arm arm{offer.algorithm,
              take(device->allocate(out.bytes())),
              take(device->allocate(std::max<std::size_t>(64, plan->workspace_bytes()))),
              {},
              {}};
      const Tensor source{in, input->region()}, target{out, arm.output->region()};
      arm.op = take(plan->bind({&source, 1}, {&target, 1}, arm.workspace->region(), *stream));
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
  std::printf("%-46s %10s %10s\n", "algorithm", "best GB/s", "median");
  for (Arm& arm : arms) {
    std::sort(arm.seconds.begin(), arm.seconds.end());
    std::printf("%-46s %10.2f %10.2f\n", algorithm_id(arm.algorithm).c_str(), bytes / arm.seconds.front() * 1e-9,
                bytes / arm.seconds[arm.seconds.size() / 2] * 1e-9);
  }
}
