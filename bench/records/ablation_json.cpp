// JSON both ways for the randomness ablation.
#include <cmath>

#include "bench/records/ablation.hpp"
#include "bench/records/field_reader.hpp"
#include "bench/records/field_writer.hpp"

namespace detbench {
namespace {

using records::FieldReader;
using records::largest_number;
using namespace records::write;

}  // namespace

Json to_json(const AblationReplica& r) {
  return {{"weights_digest", r.weights_digest}, {"final_loss", finite_or_null(r.final_loss)}, {"accuracy", r.accuracy}, {"kernels", r.kernels}};
}

Result<AblationReplica> read_ablation_replica(const Json& json, const std::string& path) {
  AblationReplica r;
  FieldReader read(json, path);
  read.digest("weights_digest", r.weights_digest);
  read.number_or_nan("final_loss", r.final_loss);
  read.number("accuracy", r.accuracy, 0, 1);
  read.text("kernels", r.kernels);
  return read.finish(std::move(r));
}

Json to_json(const AblationRow& r) {
  return {{"source", r.source},
          {"note", r.note},
          {"replicas", list_of(r.replicas)},
          {"distinct_weights", r.distinct_weights},
          {"weights_l2", finite_or_null(r.weights_l2)},
          {"relative_weights_l2", finite_or_null(r.relative_weights_l2)},
          {"loss_mean", finite_or_null(r.loss_mean)},
          {"loss_stddev", finite_or_null(r.loss_stddev)},
          {"loss_min", finite_or_null(r.loss_min)},
          {"loss_max", finite_or_null(r.loss_max)},
          {"accuracy_mean", r.accuracy_mean},
          {"accuracy_stddev", r.accuracy_stddev},
          {"churn", r.churn}};
}

Result<AblationRow> read_ablation_row(const Json& json, const std::string& path) {
  AblationRow r;
  FieldReader read(json, path);
  read.text("source", r.source);
  read.text("note", r.note);
  read.objects("replicas", r.replicas, read_ablation_replica);
  read.whole("distinct_weights", r.distinct_weights);
  read.number_or_nan("weights_l2", r.weights_l2);
  read.number_or_nan("relative_weights_l2", r.relative_weights_l2);
  read.number_or_nan("loss_mean", r.loss_mean);
  read.number_or_nan("loss_stddev", r.loss_stddev);
  read.number_or_nan("loss_min", r.loss_min);
  read.number_or_nan("loss_max", r.loss_max);
  read.number("accuracy_mean", r.accuracy_mean, 0, 1);
  read.number("accuracy_stddev", r.accuracy_stddev, 0, 1);
  read.number("churn", r.churn, 0, 1);
  if (r.distinct_weights > r.replicas.size()) read.fail("distinct_weights", "is more than there are replicas");
  return read.finish(std::move(r));
}

Json to_json(const Ablation& a) {
  return {{"network", a.network},
          {"dataset", a.dataset},
          {"types", a.types},
          {"fixed_kernels", a.fixed_kernels},
          {"varied_kernels", a.varied_kernels},
          {"pixels", a.pixels},
          {"classes", a.classes},
          {"batch", a.batch},
          {"training_images", a.training_images},
          {"validation_images", a.validation_images},
          {"epochs", a.epochs},
          {"steps", a.steps},
          {"learning_rate", a.learning_rate},
          {"augmentation", a.augmentation},
          {"elapsed_s", a.elapsed_s},
          {"input_s", a.input_s},
          {"train_s", a.train_s},
          {"rows", list_of(a.rows)},
          {"note", a.note}};
}

Result<Ablation> read_ablation(const Json& json, const std::string& path) {
  Ablation a;
  FieldReader read(json, path);
  read.text("network", a.network);
  read.text("dataset", a.dataset);
  read.text("types", a.types);
  read.text("fixed_kernels", a.fixed_kernels);
  read.text("varied_kernels", a.varied_kernels);
  read.whole("pixels", a.pixels);
  read.whole("classes", a.classes);
  read.whole("batch", a.batch);
  read.whole("training_images", a.training_images);
  read.whole("validation_images", a.validation_images);
  read.whole("epochs", a.epochs);
  read.whole("steps", a.steps);
  read.number("learning_rate", a.learning_rate, 0, largest_number);
  read.text("augmentation", a.augmentation);
  read.number("elapsed_s", a.elapsed_s, 0, largest_number);
  read.number("input_s", a.input_s, 0, largest_number);
  read.number("train_s", a.train_s, 0, largest_number);
  read.objects("rows", a.rows, read_ablation_row);
  read.text("note", a.note);
  return read.finish(std::move(a));
}

}  // namespace detbench
