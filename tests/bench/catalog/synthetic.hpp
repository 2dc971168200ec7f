// Small catalogs written by hand.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bench/catalog/catalog.hpp"

namespace detbench::catalog::testing {

inline Problem problem(const std::string& op = "conv_fwd", int channels = 8, const std::string& types = "f32_f32_tf32") {
  return {op, "mb2_g1_ic" + std::to_string(channels) + "_ih8_iw8_oc8_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1", types, "nhwc"};
}

inline Engine engine(std::int64_t id, std::vector<std::string> notes = {}, std::optional<std::uint64_t> workspace = 0) {
  Engine e;
  e.id = id, e.status = EngineStatus::valid, e.finalizes = true, e.notes = std::move(notes), e.workspace_bytes = workspace;
  return e;
}

inline Engine refused(std::int64_t id, const std::string& reason = "NOT_SUPPORTED (3000)") {
  Engine e;
  e.id = id, e.reason = reason;
  return e;
}

/// Compiled at run time and not to be told here.
inline Engine unknown(std::int64_t id) {
  Engine e = engine(id, {}, std::nullopt);
  e.status = EngineStatus::unknown, e.behaviours = {behaviour_runtime_compilation}, e.reason = "no driver library";
  return e;
}

inline Entry entry(Problem p, std::vector<Engine> engines, std::vector<std::string> a, std::vector<std::string> b, std::vector<std::string> fallback) {
  return {std::move(p), {"net:one", "net:two"}, "", std::move(engines),
          {{HeuristicMode::a, "", std::move(a)}, {HeuristicMode::b, "", std::move(b)}, {HeuristicMode::fallback, "", std::move(fallback)}}};
}

inline Catalog catalog(std::vector<Entry> entries, const std::string& version = "9.19.0") {
  Catalog c;
  c.cudnn_version = version, c.arch = "sm_90", c.device = "NVIDIA H200", c.source = "by hand", c.elapsed_s = 1.5;
  c.entries = std::move(entries);
  return c;
}

/// A folder that goes with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("detbench catalog " + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path at(const std::string& name) const { return path_ / name; }
  std::string quoted(const std::string& name) const { return "'" + at(name).string() + "'"; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(at(name)) << text; }

 private:
  std::filesystem::path path_;
};

}  // namespace detbench::catalog::testing
