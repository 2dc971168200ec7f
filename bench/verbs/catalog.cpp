#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "bench/catalog/compare.hpp"
#include "bench/catalog/questions.hpp"
#include "bench/catalog/survey.hpp"
#include "bench/catalog/text.hpp"
#include "bench/verbs/verbs.hpp"
#include "kernels/device/device.hpp"

namespace detbench {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

/// A problem's engines are shown by themselves where there are no more problems than fit on a few screens.
constexpr std::size_t most_shown_in_detail = 4;

struct CatalogArguments {
  std::vector<std::string> filter, types{"f32", "f16", "bf16"}, layouts{"nhwc"}, compared;
  std::string arch = "sm_90", model = "mobilenet_v2", padding = "same", format = "table", out;
  double alpha = 1.0, timeout_s = 120;
  int pixels = 224, batch = 128, jobs = 0;
  bool layers = false, force = false, problems = false;
};

/// To the file, whole or not at all, or to the terminal.
int deliver(const std::string& text, const CatalogArguments& a) {
  if (a.out.empty()) {
    fmt::print("{}", text);
    return exit_ok;
  }
  if (auto written = write_whole_file(a.out, text, a.force); !written) return fail(written.error());
  fmt::print("catalog: {}\n", a.out);
  return exit_ok;
}

Status check_format(const CatalogArguments& a) {
  const auto known = [&](std::initializer_list<const char*> formats) {
    return std::find_if(formats.begin(), formats.end(), [&](const char* f) { return a.format == f; }) != formats.end();
  };
  if (a.compared.empty()) {
    if (!known({"table", "csv", "json"})) return invalid_input("'" + a.format.substr(0, 60) + "' is no format of a catalog: table, csv and json are");
  } else if (!known({"table", "csv", "json", "markdown"})) {
    return invalid_input("'" + a.format.substr(0, 60) + "' is no format of a comparison: table, markdown, csv and json are");
  }
  return {};
}

int compare_files(const CatalogArguments& a) {
  std::vector<catalog::Catalog> catalogs;
  for (const auto& path : a.compared) {
    auto read = catalog::read_catalog_file(path);
    if (!read) return fail(read.error());
    catalogs.push_back(std::move(*read));
  }
  std::vector<catalog::Comparison> comparisons;
  for (std::size_t i = 1; i < catalogs.size(); ++i) comparisons.push_back(catalog::compare(catalogs[i - 1], catalogs[i]));
  for (const auto& c : comparisons)
    for (const auto& warning : c.warnings) std::cerr << "detbench: warning: " << c.from << " against " << c.to << ": " << warning << "\n";
  if (a.format == "csv") return deliver(catalog::format_comparison_csv(comparisons), a);
  if (a.format == "json") {
    Json list = Json::array();
    for (const auto& c : comparisons) list.push_back(to_json(c));
    return deliver(Json{{"schema", "detbench-catalog-comparison"}, {"schema_version", catalog::schema_version}, {"comparisons", std::move(list)}}.dump(1) + "\n", a);
  }
  const bool markdown = a.format == "markdown";
  std::string text = catalog::format_versions(catalogs, markdown);
  for (const auto& c : comparisons) text += (markdown ? "" : "\n") + catalog::format_comparison(c, markdown);
  return deliver(text, a);
}

Result<catalog::Questions> questions_of(const CatalogArguments& a) {
  catalog::Questions q;
  q.model = a.model, q.alpha = a.alpha, q.pixels = a.pixels, q.batch = a.batch, q.types = a.types, q.layouts = a.layouts;
  auto padding = catalog::parse_padding(a.padding);
  if (!padding) return tl::unexpected(padding.error());
  q.padding = *padding;
  auto filter = Filter::parse(a.filter);
  if (!filter) return tl::unexpected(filter.error());
  q.filter = *filter;
  return q;
}

catalog::IsolationSettings isolation_of(const CatalogArguments& a) {
  catalog::IsolationSettings settings;
  settings.jobs = a.jobs > 0 ? a.jobs : available_cores();
  settings.timeout_s = a.timeout_s;
  settings.interrupted = &interrupt_seen;
  if (isatty(STDERR_FILENO) != 0)
    settings.progress = [](std::size_t done, std::size_t total) {
      fmt::print(stderr, "\r\033[K{}", done < total ? fmt::format("asking cuDNN {}/{}", done, total) : "");
      std::fflush(stderr);
    };
  return settings;
}

int make_catalog(const CatalogArguments& a) {
  if (a.jobs < 0 || a.jobs > 1024) return fail({"--jobs " + std::to_string(a.jobs) + " is out of range: 1 to 1024, or 0 for every core", Reason::Kind::invalid_input});
  if (!(a.timeout_s >= 1 && a.timeout_s <= 86400)) return fail({"--timeout is out of range: 1 to 86400 seconds", Reason::Kind::invalid_input});
  auto questions = questions_of(a);
  if (!questions) return fail(questions.error());
  auto entries = catalog::pose(*questions);
  if (!entries) return fail(entries.error());
  if (a.problems) {
    for (const auto& entry : *entries) fmt::print("{}  {}\n", problem_id(entry.problem), catalog::joined(entry.used_by, "  ", ""));
    return exit_ok;
  }
  // Found out now and not after the work.
  if (!a.out.empty() && !a.force && std::filesystem::exists(a.out))
    return fail({a.out + ": is there already; --force replaces it, or choose another name", Reason::Kind::invalid_input});
  struct sigaction action {};
  action.sa_handler = [](int) { interrupt_seen = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  auto surveyed = catalog::survey(std::move(*entries), a.arch, catalog::source_of(*questions), isolation_of(a));
  if (!surveyed) {
    const int code = fail(surveyed.error());
    // No cuDNN in this build or on this machine: there was nothing to ask.
    return surveyed.error().kind == Reason::Kind::unsupported ? static_cast<int>(exit_skipped) : code;
  }
  if (surveyed->interrupted || interrupt_seen != 0) {
    std::cerr << "detbench: interrupted: no catalog was written\n";
    return exit_interrupted;
  }
  const auto& made = surveyed->catalog;
  std::string text;
  if (a.format == "json") {
    text = catalog::format_json(made);
  } else if (a.format == "csv") {
    text = catalog::format_csv(made);
  } else {
    text = catalog::format_summary(made);
    if (a.layers || made.entries.size() <= most_shown_in_detail)
      for (const auto& entry : made.entries) text += "\n" + catalog::format_entry(entry);
  }
  if (const int code = deliver(text, a); code != exit_ok) return code;
  const bool any = std::any_of(made.entries.begin(), made.entries.end(), [](const catalog::Entry& e) { return e.failure.empty(); });
  return any ? exit_ok : fail({"not one problem was answered; the first: " + made.entries.front().failure});
}

}  // namespace

Verb add_catalog_verb(CLI::App& program) {
  auto* app = program.add_subcommand("catalog", "cuDNN's engines, notes, knobs and heuristics per layer, for any architecture and without a GPU");
  app->footer(
      "FILTER is `key:glob` terms (op shape dtype layout model layer), or the id of a convolution.\n"
      "Examples: detbench catalog --arch sm_90\n"
      "          detbench catalog 'op:conv_wgrad layer:block_1_depthwise dtype:f32' --arch sm_120\n"
      "          detbench catalog --arch sm_90 --format json --out a.json\n"
      "          detbench catalog --compare a.json b.json");
  auto a = std::make_shared<CatalogArguments>();
  app->add_option("FILTER", a->filter, "which convolutions; every distinct one of the model by default");
  app->add_option("--arch", a->arch, "architecture described to cuDNN, sm_70 to sm_120, or `device` for the GPU in this machine")->capture_default_str();
  app->add_option("--model", a->model, "network whose convolutions are asked about")->capture_default_str();
  app->add_option("--alpha", a->alpha, "MobileNetV2's width")->capture_default_str();
  app->add_option("--px", a->pixels, "image height and width")->capture_default_str();
  app->add_option("--batch", a->batch, "images at once")->capture_default_str();
  app->add_option("--padding", a->padding, "same (Keras) or symmetric (PyTorch)")->capture_default_str();
  app->add_option("--types", a->types, "f32, f16, bf16, separated by commas")->delimiter(',')->allow_extra_args(false)->capture_default_str();
  app->add_option("--layout", a->layouts, "nhwc, nchw, separated by commas")->delimiter(',')->allow_extra_args(false)->capture_default_str();
  app->add_flag("--layers", a->layers, "show every engine of every problem, not the summary alone");
  app->add_flag("--problems", a->problems, "the problems alone, without asking cuDNN");
  app->add_option("--format", a->format, "table, csv or json; markdown too with --compare")->capture_default_str();
  app->add_option("--out", a->out, "file to write instead of the terminal");
  app->add_flag("--force", a->force, "replace that file");
  app->add_option("--jobs", a->jobs, "child processes at once; 0: one per core")->capture_default_str();
  app->add_option("--timeout", a->timeout_s, "seconds for one problem")->capture_default_str();
  auto* compared = app->add_option("--compare", a->compared, "catalogs as JSON: show what changed from each to the next");
  return [a, app, compared]() -> int {
    if (auto good = check_format(*a); !good) return fail(good.error());
    if (compared->count() == 0) return make_catalog(*a);
    for (const char* name : {"FILTER", "--arch", "--model", "--alpha", "--px", "--batch", "--padding", "--types", "--layout", "--layers", "--problems", "--jobs", "--timeout"})
      if (app->count(name) > 0) return fail({std::string(name) + " and --compare exclude each other: catalogs are compared as they are", Reason::Kind::invalid_input});
    return compare_files(*a);
  };
}

}  // namespace detbench
