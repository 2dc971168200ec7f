// A provider written as a table: one row per algorithm, each with a function that prepares it. Used by operations whose
// algorithms are many and small: `sum`, `dot`, `scatter_add` and their relatives.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::reduction {

/// What a bound run works on; tensors in the order of the plan's lists.
struct RunArguments {
  std::span<const Tensor> inputs, outputs;
  Region workspace;
  void* native_stream = nullptr;  ///< cudaStream_t, or nullptr on a CPU
};

/// A prepared algorithm without memory.
struct Prepared {
  std::vector<TensorSpec> inputs, outputs;
  std::size_t workspace_bytes = 0;
  std::map<std::string, std::string> notes;
  std::function<Status(const RunArguments&)> run;
  /// Plan::alignment_bytes(); kernels that read a shifted buffer element by element set 1.
  std::size_t alignment_bytes = 16;
};

struct TableRow {
  std::string name;
  Claim claim;
  /// A reason of kind `unsupported` when the algorithm does not exist for the problem; other kinds are errors.
  std::function<Result<Prepared>(const Problem&, const Options&, Device&)> prepare;
  std::vector<std::string> options;  ///< keys that prepare() understands
  double bound_constant = 1.0;
  DeviceKind kind = DeviceKind::cpu;  ///< the only one that the row exists for; two rows of different kinds may share a name
};

/// A provider of rows for any kinds of device: on one it offers the rows of that kind.
std::unique_ptr<Provider> make_table_provider(std::string name, std::vector<TableRow> rows);
/// The same where all rows are for one kind.
std::unique_ptr<Provider> make_table_provider(std::string name, DeviceKind kind, std::vector<TableRow> rows);

/// The claim of the algorithms whose order, or independence of order, is written in their own source: every scope and
/// every machine (METHOD section 4).
Claim claim_by_construction(std::string why);
/// The same claim for an order that depends on the number of threads: every scope but `partition` and `machine`.
Claim claim_for_one_partition(std::string why);

/// Threads that a plan is made for on this device.
int thread_count(const Device& device);

}  // namespace detbench::reduction
