// cuDNN's engines for one graph: which exist for a target, what they say about themselves, which knobs they have.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/cudnn/graph.hpp"
#include "kernels/cudnn/target.hpp"

namespace detbench::cudnn {

/// A knob takes minimum, minimum + stride, ... up to maximum; unset it is the engine's own choice.
struct Knob {
  int type = 0;  ///< cudnnBackendKnobType_t
  std::int64_t minimum = 0, maximum = 0, stride = 1;
  std::int64_t count() const { return (maximum - minimum) / stride + 1; }
  bool operator==(const Knob&) const = default;
};

struct Engine {
  std::int64_t index = 0;  ///< global: part of every name
  /// Of finalizing the engine: success is necessary, not sufficient (check() in configuration.hpp is the true answer).
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  std::string reason;              ///< where it did not finalize
  std::vector<int> notes;          ///< cudnnBackendNumericalNote_t, ascending
  std::vector<int> behaviours;     ///< cudnnBackendBehaviorNote_t, ascending
  std::vector<Knob> knobs;         ///< ascending by type
  Descriptor descriptor;
  bool without_device = false;  ///< asked about a target that is no GPU of this machine: some answers are then not known
  int sm_count_target = 0;
  bool finalized() const { return status == CUDNN_STATUS_SUCCESS; }
  bool has_note(cudnnBackendNumericalNote_t note) const;
  bool has_behaviour(cudnnBackendBehaviorNote_t note) const;
  const Knob* find_knob(int type) const;
};

/// One engine; `sm_count_target` 0: the attribute is not set. With a target and a GPU the engine is asked about the current
/// device first and about its stated properties only where that fails: cuDNN 9.19 checks an SM-count target against
/// properties that it has not filled in when they come from a text, and refuses every configuration.
Engine describe_engine(const OperationGraph& graph, const Target& target, std::int64_t index, int sm_count_target = 0);
/// Every engine of [0, graph.engine_count()), those that do not finalize with status and reason alone.
std::vector<Engine> describe_engines(const OperationGraph& graph, const Target& target, int sm_count_target = 0);

/// Names as in the header without their prefix: "TENSOR_CORE", "RUNTIME_COMPILATION", "TILE_SIZE"; a number that the
/// header these were written from does not know is "NOTE_11", "BEHAVIOUR_7", "KNOB_50".
std::string note_name(int note);
std::string behaviour_name(int behaviour);
std::string knob_name(int type);
std::optional<int> parse_knob_name(std::string_view name);
/// Joined by '+', "" for none.
std::string note_names(const std::vector<int>& notes);
std::string behaviour_names(const std::vector<int>& behaviours);

}  // namespace detbench::cudnn
