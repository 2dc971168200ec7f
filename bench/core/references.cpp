#include "bench/core/probe.hpp"

namespace detbench {

Result<const Reference*> ReferenceCache::get(const Operation& operation, const Problem& problem, const Inputs& inputs) {
  // One comparison at a time: fp64 answers of large layers are too big to keep for a whole sweep.
  if (const auto key = problem_id(problem); key != key_) {
    references_.clear();
    key_ = key;
  }
  auto& reference = references_[std::string(to_text(inputs.fill)) + "/" + std::to_string(inputs.seed)];
  if (!reference) {
    auto made = operation.reference(problem, inputs);
    if (!made) return tl::unexpected(made.error());
    reference = std::move(*made);
  }
  return reference.get();
}

}  // namespace detbench
