// Rows and words about the randomness ablation: what each source of randomness does to a training by itself.
#include <fmt/format.h>

#include <cmath>

#include "bench/analysis/ablation_rows.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/tables.hpp"
#include "bench/records/field_writer.hpp"

namespace detbench::analysis {
namespace {

using records::write::finite_or_null;

/// The file and the network, where there are several.
std::string group_of(const std::vector<ResultFile>& files, std::size_t file, const Ablation& ablation) {
  const auto tag = file_tag(file, files.size());
  return (tag.empty() ? "" : tag + "  ") + ablation_title(ablation);
}

/// With the distance as a number, because that of kernels is too small for a bar.
std::string distinct_words(const AblationRow& row) {
  return fmt::format("{} of {} distinct{}", row.distinct_weights, row.replicas.size(), row.distinct_weights > 1 ? fmt::format(", {:.1g}", row.relative_weights_l2) : "");
}

/// visit(group, ablation, row, rank) for every row of every file.
template <class Visit>
void each_row(const std::vector<ResultFile>& files, Visit visit) {
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& ablation : files[f].ablation)
      for (std::size_t rank = 0; rank < ablation.rows.size(); ++rank) visit(f, group_of(files, f, ablation), ablation, ablation.rows[rank], rank);
}

}  // namespace

std::string ablation_title(const Ablation& a) {
  return fmt::format("{}, {} px, {}, {} {} of {}", a.network, a.pixels, a.dataset, a.steps, a.steps == 1 ? "step" : "steps", a.batch);
}

std::string ablation_words(const AblationRow& row) {
  if (!row.note.empty()) return "not measured: " + row.note;
  if (row.replicas.empty()) return "not measured";
  const auto what = row.source == "none" ? std::string("everything fixed") : row.source == "all" ? std::string("everything let go") : row.source + " alone let go";
  const auto accuracy = fmt::format("accuracy {:.1f} % (standard deviation {:.1f})", 100 * row.accuracy_mean, 100 * row.accuracy_stddev);
  if (row.distinct_weights == 1) return fmt::format("{}: no difference between {} trainings, {}", what, row.replicas.size(), accuracy);
  return fmt::format("{}: {} distinct results in {} trainings, weights apart by {:.2g} of their norm, {:.1f} % of the predictions differ between two, {}", what, row.distinct_weights,
                     row.replicas.size(), row.relative_weights_l2, 100 * row.churn, accuracy);
}

Json ablation_rows(const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  each_row(files, [&](std::size_t, const std::string& group, const Ablation&, const AblationRow& row, std::size_t rank) {
    const bool measured = !row.replicas.empty();
    const auto value = [&](double v) { return measured ? finite_or_null(v) : Json(nullptr); };
    rows.push_back({{"group", group},
                    {"source", row.source},
                    {"rank", rank},
                    {"relative_l2", value(row.relative_weights_l2)},
                    {"churn", value(row.churn)},
                    {"accuracy", value(row.accuracy_mean)},
                    {"accuracy_low", value(row.accuracy_mean - row.accuracy_stddev)},
                    {"accuracy_high", value(row.accuracy_mean + row.accuracy_stddev)},
                    {"distinct", measured ? distinct_words(row) : "not measured"},
                    {"note", row.note},
                    {"words", ablation_words(row)}});
  });
  return rows;
}

Json ablation_replica_rows(const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  each_row(files, [&](std::size_t, const std::string& group, const Ablation&, const AblationRow& row, std::size_t rank) {
    for (std::size_t r = 0; r < row.replicas.size(); ++r) {
      const auto& one = row.replicas[r];
      rows.push_back({{"group", group}, {"source", row.source}, {"rank", rank}, {"replica", r + 1}, {"loss", finite_or_null(one.final_loss)}, {"accuracy", one.accuracy}, {"kernels", one.kernels}, {"digest", one.weights_digest}});
    }
  });
  return rows;
}

Table ablation_table(const std::vector<ResultFile>& files) {
  Table table{"ablation",
              "Randomness ablation: one source let go, all others fixed (`detbench run suite:ablation` measures it alone)",
              {"file", "training", "source", "trainings", "distinct weights", "norm of the weights' difference", "over norm of the weights", "final loss", "its standard deviation", "lowest", "highest",
               "accuracy", "its standard deviation", "predictions that differ", "note"},
              {}};
  each_row(files, [&](std::size_t file, const std::string&, const Ablation& a, const AblationRow& row, std::size_t) {
    std::vector<Json> cells{file_tag(file, files.size()), ablation_title(a), row.source, row.replicas.size()};
    if (row.replicas.empty())
      cells.insert(cells.end(), 10, Json());
    else
      for (Json cell : {Json(row.distinct_weights), finite_or_null(row.weights_l2), finite_or_null(row.relative_weights_l2), finite_or_null(row.loss_mean), finite_or_null(row.loss_stddev), finite_or_null(row.loss_min), finite_or_null(row.loss_max),
                        Json(row.accuracy_mean), Json(row.accuracy_stddev), Json(row.churn)})
        cells.push_back(std::move(cell));
    cells.push_back(row.note);
    table.rows.push_back(std::move(cells));
  });
  return table;
}

}  // namespace detbench::analysis
