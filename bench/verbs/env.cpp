#include <fmt/format.h>

#include <iostream>

#include "bench/records/manifest.hpp"
#include "bench/suites/registry.hpp"
#include "bench/verbs/verbs.hpp"
#include "bench/workers/channel.hpp"
#include "kernels/cublas/environment.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench {
namespace {

std::string plain(const Json& value) { return value.is_string() ? value.get<std::string>() : value.is_null() ? "unknown" : value.dump(); }

void print_object(const Json& object, const std::string& indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      fmt::print("{}{}\n", indent, key);
      print_object(value, indent + "  ");
    } else {
      fmt::print("{}{:<{}} {}\n", indent, key, 24 - static_cast<int>(indent.size()), value.is_object() ? "none" : plain(value));
    }
  }
}

}  // namespace

Verb add_env_verb(CLI::App& program) {
  auto* app = program.add_subcommand("env", "machine, libraries and every knob that can change bits; warnings with their remedies");
  app->footer("Example: detbench env --json | python3 -m json.tool");
  auto json = std::make_shared<bool>(false);
  app->add_flag("--json", *json, "print the manifest as JSON, as it stands in result files");
  return [json] {
    const auto gpu = describe_gpu();
    auto manifest = make_manifest(library_versions(), gpu ? "cuda" : "cpu", available_cores(), gpu.value_or(Json()));
    if (*json) {
      std::cout << manifest.dump(2) << "\n";
      return exit_ok;
    }
    fmt::print("detbench {}{}{}\n", program_version(), program_commit().empty() ? "" : " at " + program_commit().substr(0, 12),
               program_dirty() ? " (with uncommitted changes)" : "");
    print_object(manifest, "");
    fmt::print("worker_environment\n");
    for (const auto& [name, value] : worker_environment()) fmt::print("  {:<22} {}\n", name, value);
    fmt::print("{:<24} {}\n", "cuda", gpu ? gpu->value("name", "") : gpu.error().text);
    const auto cudnn = cudnn_version();
    fmt::print("{:<24} {}\n", "cudnn", cudnn ? *cudnn : cudnn.error().text);
    const auto cublas = cublas_version();
    fmt::print("{:<24} {}\n", "cublas", cublas ? *cublas : cublas.error().text);
    auto warnings = machine_warnings();
    if (const auto clean = check_cublas_environment(); !clean) warnings.push_back({clean.error().text, "unset it"});
    for (const auto& warning : warnings) fmt::print("warning: {}\n  remedy: {}\n", warning.text, warning.remedy);
    if (warnings.empty()) fmt::print("no warnings\n");
    return exit_ok;
  };
}

}  // namespace detbench
