// What one version of cuDNN says about the convolutions of a network on one architecture, as plain data: asked without a
// GPU, written as JSON, compared with another version's.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"
#include "kernels/problem.hpp"

namespace detbench::catalog {

inline constexpr int schema_version = 1;
/// cuDNN's numerical and behaviour notes that this program itself reads, spelled as the catalog spells all of them:
/// CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC without its prefix.
inline constexpr const char* note_nondeterministic = "NONDETERMINISTIC";
inline constexpr const char* note_tensor_core = "TENSOR_CORE";
inline constexpr const char* note_down_convert = "DOWN_CONVERT_INPUTS";
inline constexpr const char* behaviour_runtime_compilation = "RUNTIME_COMPILATION";

/// Whether libcuda.so.1 could be loaded where cuDNN was asked. Without it cuDNN refuses every engine that it compiles at
/// run time and leaves them out of its heuristics.
enum class DriverLibrary { present, absent };

/// `unknown`: this machine cannot tell, because the engine is compiled at run time and there is no driver library.
/// `crashed`: cuDNN died while it was asked for this engine.
enum class EngineStatus { valid, unsupported, unknown, crashed };

enum class HeuristicMode { a, b, fallback };
inline constexpr std::array all_driver_libraries{DriverLibrary::present, DriverLibrary::absent};
inline constexpr std::array all_engine_statuses{EngineStatus::valid, EngineStatus::unsupported, EngineStatus::unknown,
                                                EngineStatus::crashed};
inline constexpr std::array all_heuristic_modes{HeuristicMode::a, HeuristicMode::b, HeuristicMode::fallback};

std::string_view to_text(DriverLibrary driver);   ///< "present", "absent"
std::string_view to_text(EngineStatus status);    ///< "valid", ...
std::string_view to_text(HeuristicMode mode);     ///< "A", "B", "FALLBACK"

struct Knob {
  std::string name;  ///< "TILE_SIZE"
  std::int64_t minimum = 0, maximum = 0, stride = 1;
  bool operator==(const Knob&) const = default;
};

/// One engine of one operation graph. What an engine that cannot answer would be able to do is not told by cuDNN: its
/// lists are empty.
struct Engine {
  std::int64_t id = 0;
  EngineStatus status = EngineStatus::unsupported;
  std::string reason;            ///< one line unless valid; of a valid one why its default configuration is refused, if it is
  bool finalizes = false;        ///< the engine itself exists for the graph and target; its lists below are filled
  std::vector<std::string> notes, behaviours;
  std::vector<Knob> knobs;
  std::optional<std::uint64_t> workspace_bytes;  ///< of the default configuration; nullopt where that one is refused
  bool has_note(std::string_view note) const;
  bool compiles_at_run_time() const;
  bool operator==(const Engine&) const = default;
};

/// A heuristic's list for one graph, best first.
struct Ranking {
  HeuristicMode mode = HeuristicMode::a;
  std::string reason;              ///< why there is no list; empty where there is one, which may be empty too
  std::vector<std::string> picks;  ///< "eng20[TILE_SIZE=3]"
  bool operator==(const Ranking&) const = default;
};

/// "eng20[TILE_SIZE=3]" -> 20; nullopt: not of that form.
std::optional<std::int64_t> engine_of(std::string_view pick);

struct Entry {
  Problem problem;
  std::vector<std::string> used_by;  ///< "mobilenet_v2_alpha1.0:Conv1", ...; empty: asked for by id
  std::string failure;               ///< one line when cuDNN could not be asked at all, or died or hung over it
  std::vector<Engine> engines;       ///< by id, every id that the graph knows
  std::vector<Ranking> rankings;     ///< A, B, FALLBACK
  const Engine* find_engine(std::int64_t id) const;
  const Ranking* find_ranking(HeuristicMode mode) const;
};

struct Catalog {
  std::string cudnn_version;  ///< "9.19.0"
  std::string arch;           ///< "sm_90"
  std::string device;         ///< "NVIDIA H200"
  bool asked_device = false;  ///< a GPU in the machine was asked, not a description of one
  DriverLibrary driver = DriverLibrary::absent;
  std::string source;         ///< "mobilenet_v2 alpha 1.0, 224 px, batch 128, padding same"
  double elapsed_s = 0;
  std::vector<Entry> entries;
};

Json to_json(const Entry& entry);
Result<Entry> read_entry(const Json& json, const std::string& path);
Json to_json(const Catalog& catalog);
/// The same as text: the head indented, then one problem per line.
std::string format_json(const Catalog& catalog);
/// Refuses what is no catalog, is of a newer schema, or lacks or misspells a member; one line that names it.
Result<Catalog> read_catalog(const Json& json);
/// The same of a file, which may be gzip-compressed; reasons begin with its path.
Result<Catalog> read_catalog_file(const std::filesystem::path& path);

}  // namespace detbench::catalog
