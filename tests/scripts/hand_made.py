"""Small result files made by hand for tests of scripts. They follow results/schema-v1.json; nothing in them was measured."""

import json


def scope(name, verdict="no_difference", runs=10, differing=0, distinct=None, stages=None):
    """An agreement entry; `stages`: {name: differing runs}, each of `runs` runs."""
    parts = stages if stages is not None else {"idle": differing}
    total = sum(parts.values())
    seen = distinct if distinct is not None else (1 if verdict == "no_difference" else 2)
    sampling = name in ("repeat", "process", "load")
    n = runs * len(parts) if sampling else len(parts)
    bound = (3.0 / runs if runs >= 30 else 1 - 0.05 ** (1 / runs)) if sampling and verdict == "no_difference" else None
    assert (total > 0) == (verdict in ("differs", "already_differs"))
    entries = [{"name": s, "runs": runs, "differing_runs": k, "distinct": [f"{i:032x}" for i in range(2 if k else 1)], "unavailable": ""} for s, k in parts.items()]
    return {"scope": name, "verdict": verdict, "reason": "", "runs": n, "distinct": seen, "bound": bound, "stages": entries, "witness": None}


MARKED = {"guarantee": "not_guaranteed", "source": "hand-made note", "coverage": []}
PROMISED = {"guarantee": "run_to_run", "source": "hand-made document", "coverage": ["repeat", "load"]}


def record(case, status="ok", reason="", claim=None, agreement=(), suite="convolution", **more):
    return {
        "id": case, "suite": suite, "replay": f"detbench run '{case}'", "status": status, "reason": reason or ("" if status == "ok" else "refused by hand"),
        "requested": "not_guaranteed", "claim": claim or {"guarantee": "not_guaranteed", "source": "", "coverage": []}, "claim_verdict": "none",
        "exact_equal": None, "verification": None, "agreement": list(agreement), "timing": None, "output_digest": "", "input_digest": "", "plan_s": None,
        "workspace_bytes": None, "notes": {}, "train_step": None, **more,
    }  # fmt: skip


def control(name="contended_atomics", scope_name="repeat", positive=True, as_expected=True):
    distinct = 2 if positive == as_expected else 1
    return {"name": name, "scope": scope_name, "positive": positive, "runs": 5, "distinct": distinct, "as_expected": as_expected, "note": ""}


def result(records, backend="cuda", gpu="Hand-made GPU", commit="0" * 40, **more):
    manifest = {"libraries": {"cudnn": "9.9.9", "cublas": "13.0", "cccl": "3.4.2"}, "cpu": {"model": "Hand-made CPU", "cores_usable": 2}}
    manifest["gpu"] = {"name": gpu, "compute_capability": "9.0"} if backend == "cuda" else None
    return {
        "schema": "detbench-result", "schema_version": 1, "digest_version": 1, "fill_version": 1, "detbench_version": "0.0", "commit": commit, "dirty": False,
        "created_utc": "2026-11-22T10:00:00Z", "complete": True, "elapsed_s": 1.0, "filter": "",
        "profile": {"name": "quick", "repeat": 10, "process": 2, "load": 10, "configurations": 2, "blocks": 10}, "seed": 1, "backend": backend,
        "manifest": manifest, "controls": [control(), control("integer_accumulation", positive=False)], "comparisons": [], "records": list(records), **more,
    }  # fmt: skip


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
