#!/usr/bin/env python3
"""detbench's input fills in Python, and the check that they have the same bits as the C++ ones.

Usage: fills.py --check FILE    every value of FILE (tests/data/keras/fills.json) is what this script draws
       fills.py --write FILE    writes FILE anew

Written from the description in kernels/tensor/philox.hpp, fill.hpp and fill_arithmetic.hpp (fill version 1); the C++ test
KerasFills holds the same file against fill_on_host(), so that both sides can fail. The check needs nothing but Python:
the functions below take Python integers as well as NumPy arrays of uint64.

Exit codes: 0 all bits equal; 1 at least one differs (one line each); 2 usage.
"""

import argparse
import json
import math
import pathlib
import struct
import sys

MASK32, MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def philox4x32(index, call, domain, key):
    """Ten rounds of Philox4x32: counter words (index low, index high, call, domain), key words (key low, key high)."""
    c0, c1, c2, c3 = index & MASK32, index >> 32, call & MASK32, domain & MASK32
    k0, k1 = key & MASK32, key >> 32
    for _ in range(10):
        # 32 x 32 bits: the products fit into 64, also where the counter is an array.
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK32, (p0 >> 32) ^ c3 ^ k1, p0 & MASK32
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def mix64(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


def hash_name(name):
    """FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK64
    return value


def stream_key(seed, name):
    return mix64((seed + mix64(hash_name(name))) & MASK64)


def round_f32(value):
    """To the nearest f32, ties to even. Products of two f32 are exact in f64, so that this rounds them once."""
    if hasattr(value, "astype"):
        return value.astype("float32").astype("float64")
    return struct.unpack("<f", struct.pack("<f", value))[0]


def as_float(value):
    return value.astype("float64") if hasattr(value, "astype") else float(value)


def signed(value):
    return value.astype("int64") if hasattr(value, "astype") else value


TRUNCATED_CALLS = 64
ZERO_KEPT = 9.0  # no candidate: marks one that was kept and is 0


# One function per kind: the elements of a group from its number, f32 values held in f64. Each entry: elements per group.


def uniform_group(group, key, scale, limit):
    """k * 2^-24 - 1 with 25 random bits, times scale."""
    for word in philox4x32(group, 0, 0, key):
        yield round_f32(round_f32(scale) * (as_float(signed(word >> 7) - (1 << 24)) * 2.0**-24))


def normal_group(group, key, scale, limit):
    """Twelve uniforms of 21 bits, each the middle of its cell, minus 6: six from each of two calls."""
    total = 6 - 6 * (1 << 21)
    for call in range(2):
        w0, w1, w2, w3 = philox4x32(group, call, 0, key)
        for half in (w1 << 32 | w0, w3 << 32 | w2):
            for shift in (0, 21, 42):
                total = total + signed((half >> shift) & 0x1FFFFF)
    yield round_f32(round_f32(scale) * (as_float(total) * 2.0**-21))


def truncated_normal_group(group, key, scale, limit):
    """Rejection: of the candidates x in [-2, 2) the first whose 32-bit draw lies below 2^32 exp(-x^2/2).

    The C++ side has an exp of its own. It may differ from the C library's in the last bits, 1e-9 in units of the draw, and
    the draws are whole numbers: the choice of a candidate could differ once in some 10^18.
    """

    def candidates(groups, call):
        words = philox4x32(groups, call, 0, key)
        return [(as_float(signed(words[j] >> 7) - (1 << 24)) * 2.0**-23, words[j + 1]) for j in (0, 2)]

    if not hasattr(group, "astype"):
        for call in range(TRUNCATED_CALLS):
            for x, draw in candidates(group, call):
                if draw < 2.0**32 * math.exp(-0.5 * (x * x)):
                    yield round_f32(round_f32(scale) * x)
                    return
        yield 0.0
        return
    import numpy

    kept, waiting = numpy.zeros(group.size), numpy.arange(group.size)
    for call in range(TRUNCATED_CALLS):
        for x, draw in candidates(group[waiting], call):
            keeps = draw < 2.0**32 * numpy.exp(-0.5 * (x * x))
            # The second candidate of a call counts only where the first was not kept.
            keeps &= kept[waiting] == 0
            kept[waiting[keeps]] = numpy.where(x[keeps] == 0, ZERO_KEPT, x[keeps])
        waiting = waiting[kept[waiting] == 0]
        if not waiting.size:
            break
    yield round_f32(round_f32(scale) * numpy.where(kept == ZERO_KEPT, 0.0, kept))


def constant_group(group, key, scale, limit):
    yield round_f32(scale) + as_float(group * 0)


def index_group(group, key, scale, limit):
    """floor(64 random bits * limit / 2^64); limits below 2^31, so that the halves of the product fit into 64 bits."""
    w0, w1, w2, w3 = philox4x32(group, 0, 0, key)
    for low, high in ((w0, w1), (w2, w3)):
        yield signed((high * limit + (low * limit >> 32)) >> 32)


KINDS = {
    "constant": (constant_group, 1),
    "uniform": (uniform_group, 4),
    "normal": (normal_group, 1),
    "truncated_normal": (truncated_normal_group, 1),
    "index": (index_group, 2),
}


def element(kind, index, seed, stream, scale=1.0, limit=1):
    """Element `index` of a fill, with Python's own numbers."""
    function, size = KINDS[kind]
    return list(function(index // size, stream_key(seed, stream), scale, limit))[index % size]


def fill(kind, count, seed, stream, scale=1.0, limit=1):
    """The first `count` elements: a NumPy array of f64 (values of f32), or of int64 for kind "index"."""
    import numpy

    function, size = KINDS[kind]
    groups = numpy.arange((count + size - 1) // size, dtype=numpy.uint64)
    return numpy.stack(list(function(groups, stream_key(seed, stream), scale, limit)), axis=1).reshape(-1)[:count]


# --- The file that both sides are held against ----------------------------------------------------------------------

# Random123's known answers for Philox4x32-10: counter, key, result.
KNOWN_ANSWERS = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((MASK32,) * 4, (MASK32,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
)

PROBES = (
    # kind, seed, stream, scale, limit
    ("constant", 1, "weights/bn/gamma", 1.0, 1),
    ("constant", 7, "weights/bn/beta", -0.1, 1),
    ("uniform", 1, "images", 1.0, 1),
    ("uniform", 1, "images", 255.0, 1),
    ("uniform", 2**63 + 5, "weights/Conv1/kernel", math.sqrt(6.0 / 171.0), 1),
    ("normal", 1, "conv_fwd/src", 1.0, 1),
    ("normal", 12345678901234567890, "weights/stem_conv/kernel", math.sqrt(2.0 / 288.0), 1),
    ("truncated_normal", 1, "weights/block1a_dwconv/kernel", math.sqrt(2.0 / 9.0) / 0.87962566103423978, 1),
    ("truncated_normal", 99, "weights/top_conv/kernel", 1.0, 1),
    ("index", 1, "labels", 1.0, 10),
    ("index", 3, "sample/Conv1/kernel", 1.0, 2**31 - 1),
)
INDICES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 1000, 4095, 4096, 65537, 2**31 + 12345)  # shown one by one
CHECKED = 4000  # elements from the beginning that the checksum covers


def bits(kind, value):
    """Of an element as C++ stores it: an f32, or an i64."""
    return value & MASK64 if kind == "index" else struct.unpack("<I", struct.pack("<f", value))[0]


def probe(kind, seed, stream, scale, limit):
    draw = lambda i: element(kind, i, seed, stream, scale, limit)
    values = [draw(i) if kind == "index" else f"{bits(kind, draw(i)):08x}" for i in INDICES]
    # Odd factors per position: any one wrong element changes the sum.
    checksum = sum(bits(kind, draw(i)) * (2 * i + 1) for i in range(CHECKED)) & MASK64
    return {
        "kind": kind,
        "seed": seed,
        "stream": stream,
        "scale": scale,
        "limit": limit,
        "indices": list(INDICES),
        "values": values,
        "checked": CHECKED,
        "checksum": f"{checksum:016x}",
    }


def known_answers_wrong():
    wrong = []
    for counter, key, result in KNOWN_ANSWERS:
        got = philox4x32(counter[1] << 32 | counter[0], counter[2], counter[3], key[1] << 32 | key[0])
        if got != result:
            wrong.append(f"philox4x32 of counter {counter}, key {key}: got {got}, known is {result}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", metavar="FILE", type=pathlib.Path)
    action.add_argument("--write", metavar="FILE", type=pathlib.Path)
    arguments = parser.parse_args()
    wrong = known_answers_wrong()
    probes = [probe(*p) for p in PROBES]
    if arguments.write:
        lines = ",\n".join("    " + json.dumps(p) for p in probes)
        arguments.write.write_text('{\n  "format": 1,\n  "fill_version": 1,\n  "fills": [\n' + lines + "\n  ]\n}\n", encoding="utf-8")
    else:
        try:
            stored = json.loads(arguments.check.read_text(encoding="utf-8"))["fills"]
        except (OSError, ValueError, KeyError) as error:
            print(f"{arguments.check}: {error!r}", file=sys.stderr)
            return 2
        if len(stored) != len(probes):
            wrong.append(f"{len(stored)} fills are stored, {len(probes)} are drawn here")
        for have, want in zip(stored, probes):
            if have != want:
                wrong.append(f"{want['kind']} of stream {want['stream']!r}: stored {have}, drawn {want}")
        # The arrays that the networks are filled with are the same function, run on NumPy where that is installed.
        try:
            import numpy
        except ImportError:
            numpy = None
        if numpy:
            for kind, seed, stream, scale, limit in PROBES:
                for i, value in enumerate(fill(kind, CHECKED, seed, stream, scale, limit)):
                    if value != element(kind, i, seed, stream, scale, limit):
                        wrong.append(f"{kind} of stream {stream!r}, element {i}: the NumPy array differs")
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{len(probes)} fills, {len(KNOWN_ANSWERS)} known answers: all bits equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
