// Rows and words about train steps side by side: when they part, and how the difference grows.
#include <fmt/format.h>

#include <cmath>

#include "bench/analysis/divergence_rows.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/tables.hpp"
#include "bench/records/field_writer.hpp"

namespace detbench::analysis {
namespace {

/// The question, with the file and the network where there are several.
std::string label_of(const std::vector<ResultFile>& files, std::size_t file, const Divergence& divergence) {
  const auto tag = file_tag(file, files.size());
  bool several = false;
  for (const auto& other : files[file].divergence) several |= other.problem != divergence.problem;
  return (tag.empty() ? "" : tag + "  ") + divergence.question + (several ? "  (" + divergence.problem.substr(0, divergence.problem.find("/f")) + ")" : "");
}

using records::write::finite_or_null;

}  // namespace

std::string divergence_words(const Divergence& d) {
  if (d.steps == 0) return d.note.empty() ? "not compared" : "not compared: " + d.note;
  if (!d.first_step) return fmt::format("no difference in {} {}", d.steps, d.steps == 1 ? "step" : "steps");
  std::string words = fmt::format("part in step {}", *d.first_step);
  if (d.first_op) words += fmt::format(", first at {} of {} ({}, {})", d.first_op->op, d.first_op->layer, d.first_op->phase, d.first_op->output);
  if (!d.points.empty() && d.points.back().elements > 0) {
    const auto& last = d.points.back();
    words += fmt::format("; after step {} {:.3g} % of the weights differ, by {:.2g} of their norm", last.step,
                         100.0 * static_cast<double>(last.differing) / static_cast<double>(last.elements), last.relative_l2);
  }
  return words;
}

Json divergence_rows(const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  std::size_t rank = 0;
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& d : files[f].divergence) {
      const auto label = label_of(files, f, d);
      for (const auto& p : d.points) {
        // A logarithm has no place for "equal": such steps are in the words above the curves.
        if (p.differing == 0 || p.elements == 0) continue;
        rows.push_back({{"question", label},
                        {"rank", rank},
                        {"step", p.step},
                        {"share", static_cast<double>(p.differing) / static_cast<double>(p.elements)},
                        {"max_ulp", p.max_ulp},
                        {"l2", finite_or_null(p.l2)},
                        {"relative_l2", p.relative_l2 > 0 ? finite_or_null(p.relative_l2) : Json(nullptr)},
                        {"loss_difference", finite_or_null(std::abs(p.loss_a - p.loss_b))},
                        {"churn", p.churn ? Json(*p.churn) : Json(nullptr)}});
      }
      ++rank;
    }
  return rows;
}

Json divergence_word_rows(const std::vector<ResultFile>& files) {
  Json rows = Json::array();
  std::size_t rank = 0;
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& d : files[f].divergence) rows.push_back({{"question", label_of(files, f, d)}, {"rank", rank++}, {"words", divergence_words(d)}, {"note", d.note}});
  return rows;
}

Table policy_table(const std::vector<ResultFile>& files) {
  Table table{"policies",
              "Policies: how they were chosen, and what became of their picks when these were probed again",
              {"file", "policy", "demand", "activations in", "problems", "layers", "layers that meet the demand", "layers' time, ms", "of the fastest arms, ms", "held when probed again",
               "not probed again", "struck", "note"},
              {}};
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& p : files[f].policies) {
      std::string note;
      for (const auto& problem : p.unmet) note += (note.empty() ? "" : "; ") + ("unmet: " + problem);
      for (const auto& pick : p.struck) note += (note.empty() ? "" : "; ") + ("struck: " + pick.id + (pick.scope.empty() ? "" : " in " + pick.scope) + ", " + pick.reason);
      table.rows.push_back({file_tag(f, files.size()), p.name, p.demand, p.activation_layout, p.problems, p.layers, p.layers_met, p.layers_s * 1e3, p.fastest_layers_s * 1e3, p.held,
                            p.not_probed_again, p.struck.size(), note});
    }
  return table;
}

Table divergence_table(const std::vector<ResultFile>& files) {
  Table table{"divergence",
              "Train steps side by side: how the difference of the weights grows",
              {"file", "pair", "a", "b", "threads of a", "threads of b", "load beside b", "step", "weights that differ", "of", "largest distance, ULP", "norm of the difference", "over norm of a",
               "loss of a", "loss of b", "predictions changed", "first difference", "note"},
              {}};
  const auto number = [](double value) { return finite_or_null(value); };
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& d : files[f].divergence) {
      // A pair that could not be compared has its line too.
      const auto points = d.points.empty() ? std::vector<DivergencePoint>(1) : d.points;
      for (const auto& p : points)
        table.rows.push_back({file_tag(f, files.size()), d.question, d.a.algorithm, d.b.algorithm, d.a.threads, d.b.threads, d.b.load, p.step, p.differing, p.elements, p.max_ulp, number(p.l2),
                              number(p.relative_l2), number(p.loss_a), number(p.loss_b), p.churn ? Json(*p.churn) : Json(), divergence_words(d), d.note});
    }
  return table;
}

}  // namespace detbench::analysis
