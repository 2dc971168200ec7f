#include "kernels/reduction/sum.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_tbb_sums() {
  return make_absent_provider("tbb", "this build has no oneTBB: install libtbb-dev and configure again");
}

}  // namespace detbench::reduction

namespace detbench {

std::optional<std::string> tbb_version() { return std::nullopt; }

}  // namespace detbench
