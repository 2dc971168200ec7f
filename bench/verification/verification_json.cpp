// The machine-readable report: results/verification-schema-v1.json, explained in results/README.md.
#include <cmath>

#include "bench/records/field_writer.hpp"
#include "bench/records/manifest.hpp"
#include "bench/verification/verification.hpp"
#include "kernels/tensor/digest.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench {

Json to_json(const RecomputeConfiguration& c) { return {{"threads", c.threads}, {"isa", c.isa}}; }

Json to_json(const Recomputation& r) {
  return {{"configuration", to_json(r.configuration)},
          {"input_digest", r.inputs},
          {"output_digest", r.outputs},
          {"elapsed_s", records::write::finite_or_null(r.elapsed_s)},
          {"reason", r.reason}};
}

Json to_json(const VerifiedFile& f) {
  return {{"path", f.path},       {"detbench_version", f.detbench_version}, {"commit", f.commit}, {"created_utc", f.created_utc},
          {"backend", f.backend}, {"rows", f.rows},                         {"claiming", f.claiming}};
}

Json to_json(const VerifiedRow& r) {
  return {{"file", r.file},
          {"id", r.id},
          {"claim", r.claim},
          {"outcome", to_text(r.outcome)},
          {"reason", r.reason},
          {"input_digest", r.recorded_inputs},
          {"output_digest", r.recorded_outputs},
          {"runs", records::write::list_of(r.runs)}};
}

Json to_json(const VerificationReport& r) {
  return {{"schema", "detbench-verification"},
          {"schema_version", verification_schema_version},
          {"digest_version", digest_version},
          {"fill_version", fill_version},
          {"detbench_version", program_version()},
          {"commit", program_commit()},
          {"created_utc", utc_now()},
          {"complete", r.count(RowOutcome::not_reached) == 0},
          {"elapsed_s", records::write::finite_or_null(r.elapsed_s)},
          {"match", r.count(RowOutcome::match)},
          {"differ", r.count(RowOutcome::differs)},
          {"not_recomputed", r.count(RowOutcome::not_recomputed)},
          {"not_reached", r.count(RowOutcome::not_reached)},
          {"configurations", records::write::list_of(r.configurations)},
          {"files", records::write::list_of(r.files)},
          {"rows", records::write::list_of(r.rows)}};
}

}  // namespace detbench
