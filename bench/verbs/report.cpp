#include "bench/analysis/report.hpp"

#include <fmt/format.h>

#include "bench/verbs/verbs.hpp"

namespace detbench {

Verb add_report_verb(CLI::App& program) {
  auto* app = program.add_subcommand("report", "charts and tables of one or several result files, as one self-contained page");
  app->footer("Example: detbench report results/local/first --out results/local/first/report");
  struct ReportArguments {
    std::vector<std::string> results;
    std::string out, venv;
    bool force = false, no_images = false;
  };
  auto arguments = std::make_shared<ReportArguments>();
  app->add_option("RESULT", arguments->results, "result files, plain or gzip-compressed, or folders that hold result.json")->required();
  app->add_option("--out", arguments->out, "folder to make")->required();
  app->add_flag("--force", arguments->force, "replace an earlier report in that folder");
  app->add_flag("--no-images", arguments->no_images, "the page and the tables only, without SVG, PNG and PDF");
  app->add_option("--venv", arguments->venv, "the project's Python environment, where it is not found by itself");
  return [arguments]() -> int {
    std::vector<ResultFile> files;
    for (const auto& path : arguments->results) {
      auto file = read_result_file(path);
      if (!file) return fail(file.error());
      files.push_back(std::move(*file));
    }
    ReportOptions options;
    options.out = arguments->out;
    options.force = arguments->force;
    options.images = !arguments->no_images;
    if (!arguments->venv.empty()) options.venv = arguments->venv;
    auto outcome = write_report(files, options);
    if (!outcome) return fail(outcome.error());
    for (const auto& note : outcome->notes) fmt::print("note: {}\n", note);
    fmt::print("report: {}\n", outcome->page.string());
    return exit_ok;
  };
}

}  // namespace detbench
