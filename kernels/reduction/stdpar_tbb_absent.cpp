#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_stdpar_sums() {
  return make_absent_provider(
      "stdpar",
      "libstdc++'s parallel algorithms need oneTBB, which this build lacks: install libtbb-dev and configure again");
}

}  // namespace detbench::reduction
