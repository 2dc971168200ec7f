#include "kernels/reduction/cub_levels.hpp"
#include "kernels/reduction/sum.hpp"

namespace detbench::reduction {

std::vector<TableRow> cub_level_rows() {
  std::vector<TableRow> rows;
  for (const char* name : {"not_guaranteed", "run_to_run", "gpu_to_gpu"}) {
    TableRow row;
    row.name = name;
    row.kind = DeviceKind::cuda;
    row.prepare = [](const Problem&, const Options&, Device&) -> Result<Prepared> {
      return unsupported("this build has no CCCL 3.2 or newer: scripts/setup.sh fetches it, or set CCCL_ROOT, then configure again");
    };
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace detbench::reduction

namespace detbench {

std::optional<std::string> cccl_version() { return std::nullopt; }

}  // namespace detbench
