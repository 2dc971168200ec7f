// This test program is also its own worker: the parent starts /proc/self/exe with the argument "worker".
#include <gtest/gtest.h>

#include <cstring>

#include "bench/workers/serve.hpp"
#include "tests/bench/workers/fake_operation.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "worker") == 0) {
    detbench::Registry registry;
    registry.add(detbench::test::make_fake_operation());
    detbench::ServeHooks hooks;
    hooks.make_device = detbench::make_cpu_device;
    detbench::LineChannel channel(detbench::worker_channel_fd);
    return detbench::serve(channel, registry, hooks);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
