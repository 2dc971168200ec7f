#include "bench/analysis/provenance.hpp"

#include <fmt/format.h>

#include "bench/analysis/chart_data.hpp"

namespace detbench::analysis {
namespace {

/// A string out of a manifest, whose form is free: "" unless it is there and a string.
std::string text_at(const Json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

Json object_at(const Json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? Json(nullptr) : *found;
}

std::string gpu_name(const Json& gpu) {
  if (gpu.is_string()) return gpu.get<std::string>();
  if (gpu.is_array() && !gpu.empty()) return gpu_name(gpu.front());
  const auto model = text_at(gpu, "model");
  return model.empty() ? text_at(gpu, "name") : model;
}

std::string cores(const Json& cpu) {
  const auto count = object_at(cpu, "cores_usable");
  if (!count.is_number_integer()) return "";
  const auto n = count.get<std::int64_t>();
  return fmt::format(", {} {}", n, n == 1 ? "core" : "cores");
}

}  // namespace

std::string machine_label(const ResultFile& file) {
  const auto gpu = gpu_name(object_at(file.manifest, "gpu"));
  if (file.backend == "cuda" && !gpu.empty()) {
    const auto driver = text_at(file.manifest, "driver");
    return driver.empty() ? gpu : gpu + ", driver " + driver;
  }
  const auto cpu = object_at(file.manifest, "cpu");
  const auto model = text_at(cpu, "model");
  return (model.empty() ? "unknown machine" : model) + cores(cpu);
}

std::string library_label(const ResultFile& file) {
  std::string label;
  const auto libraries = object_at(file.manifest, "libraries");
  if (!libraries.is_object()) return label;
  // What only a GPU's run uses says nothing about a CPU's.
  const auto unused = [&](const std::string& name) { return file.backend == "cpu" && (name == "cudnn" || name == "cublas"); };
  for (const auto& [name, version] : libraries.items())
    if (version.is_string() && !unused(name)) label += (label.empty() ? "" : ", ") + name + " " + version.get<std::string>();
  return label;
}

std::string profile_label(const ResultFile& file) {
  const auto& p = file.profile;
  return fmt::format("profile {}: n = {} repeat, {} process, {} load per stressor; {} configurations; {} blocks{}",
                     p.name, p.repeat, p.process, p.load, p.configurations, p.blocks,
                     p.search.empty() ? "" : "; tiers searched: " + p.search);
}

std::string file_tag(std::size_t index, std::size_t files) {
  if (files < 2) return "";
  return index < 26 ? std::string(1, static_cast<char>('A' + index)) : fmt::format("F{}", index + 1);
}

std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find(' ', at);
    if (end == std::string::npos) end = text.size();
    const auto word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::vector<std::string> provenance_lines(const std::vector<ResultFile>& files, std::size_t most) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < files.size() && i < most; ++i) {
    const auto& file = files[i];
    std::string text = file_tag(i, files.size());
    if (!text.empty()) text += " = ";
    text += machine_label(file) + " (" + file.backend + ")";
    if (const auto libraries = library_label(file); !libraries.empty()) text += " · " + libraries;
    text +=
        " · " + file.created_utc.substr(0, 10) + " · " + profile_label(file) + " · detbench " + file.detbench_version;
    if (!file.complete) text += " · INTERRUPTED: only what was measured before";
    for (auto& line : wrap(text, subtitle_width)) lines.push_back(std::move(line));
  }
  if (files.size() > most) lines.push_back(fmt::format("and {} more files, listed in the report", files.size() - most));
  return lines;
}

}  // namespace detbench::analysis
