#!/usr/bin/env python3
"""Renders complete Vega-Lite files to SVG, PNG and PDF with vl-convert.

Usage: .venv/bin/python scripts/render_charts.py FOLDER [--formats svg,png,pdf]

Every *.vl.json in FOLDER gets its images beside it. `detbench report` calls this; it needs no network. Run it by hand
after changing a specification. Each image appears whole or not at all.

Exit codes: 0 all rendered; 1 at least one failed (one line each); 2 usage; 3 vl-convert is missing (scripts/setup.sh).
"""

import argparse
import concurrent.futures
import os
import pathlib
import sys

PNG_SCALE = 2.0


def write(path, data):
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def render(vl_convert, path, formats):
    """SVG first: PNG and PDF are made from it, so the three always show the same."""
    spec = path.read_text(encoding="utf-8")
    base = path.name[: -len(".vl.json")]
    # No URL is allowed: a chart holds its data.
    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    if "svg" in formats:
        write(path.with_name(base + ".svg"), svg.encode("utf-8"))
    if "png" in formats:
        write(path.with_name(base + ".png"), vl_convert.svg_to_png(svg, scale=PNG_SCALE))
    if "pdf" in formats:
        write(path.with_name(base + ".pdf"), vl_convert.svg_to_pdf(svg))


def render_one(path, formats):
    """What went wrong, in one line; one chart that fails must not cost the others."""
    import vl_convert

    try:
        render(vl_convert, path, formats)
    except Exception as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    return ""


def main():
    parser = argparse.ArgumentParser(description="Renders Vega-Lite files to images.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--formats", default="svg,png,pdf")
    arguments = parser.parse_args()
    formats = set(arguments.formats.split(","))
    if not arguments.folder.is_dir() or formats - {"svg", "png", "pdf"}:
        parser.error("FOLDER must be a folder, formats out of svg, png, pdf")
    try:
        import vl_convert
    except ImportError:
        print("render_charts: vl-convert is missing; run scripts/setup.sh and use .venv/bin/python", file=sys.stderr)
        return 3
    del vl_convert  # each process imports its own
    paths = sorted(arguments.folder.glob("*.vl.json"), key=lambda path: -path.stat().st_size)
    failed = False
    # A process per core: most of the time goes into starting JavaScript engines, one per image.
    with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, problem in zip(paths, pool.map(render_one, paths, [formats] * len(paths))):
            if problem:
                print(f"render_charts: {path.name}: {problem}", file=sys.stderr)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
