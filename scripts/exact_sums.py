#!/usr/bin/env python3
"""Sums and dot products by rational arithmetic, for the tests of everything here that calls itself exact.

Usage: scripts/exact_sums.py --write FILE    draws the cases and writes them
       scripts/exact_sums.py --check FILE    draws them again; the file must hold the same bytes

fractions.Fraction adds and multiplies without any error; round() of a Fraction is to nearest, ties to even. So the
one thing done here is to say what a float's bits mean and which multiples of a power of two a type has. Results in f64
are held against Python's own conversion of a Fraction to a float as well.

Each case: `stored` type of `x` (and `y`: then a dot product), `accumulator` type of the result, all floats as bits in
hexadecimal; `sum`, the exact sum rounded once (-0 where it is zero and every summand is -0; infinity beyond the range);
`naive`, the same summands added one after the other and each time rounded (a product by itself first), with its
`error_ulp`, `relative_error`, and the `condition` of the sum; null where they are not finite or divide by zero.

Exit codes: 0 done or equal; 1 the file holds something else; 2 usage, or the file cannot be read or written.
"""

import json
import pathlib
import random
import sys
from fractions import Fraction

# Significand digits, exponents of the leading digit of the smallest and the largest normal number.
FORMATS = {"f32": (24, -126, 127), "f64": (53, -1022, 1023), "f16": (11, -14, 15), "bf16": (8, -126, 127)}
ACCUMULATOR = {"f32": "f32", "f64": "f64", "f16": "f32", "bf16": "f32"}
POSITIVE_ZERO, NEGATIVE_ZERO, INFINITY, NEGATIVE_INFINITY = "+0", "-0", "+inf", "-inf"


def width(name):
    """Bits of all, and of the exponent."""
    digits, smallest, largest = FORMATS[name]
    exponent_bits = (largest + 1).bit_length()
    return digits + exponent_bits, exponent_bits


def meaning(name, bits):
    """The number that the bits stand for and whether their sign is set. Finite numbers only."""
    digits, smallest, largest = FORMATS[name]
    total, exponent_bits = width(name)
    sign, exponent, fraction = bits >> (total - 1), bits >> (digits - 1) & (1 << exponent_bits) - 1, bits & (1 << digits - 1) - 1
    assert exponent < (1 << exponent_bits) - 1, "finite numbers only"
    significand = fraction if exponent == 0 else fraction | 1 << digits - 1
    value = Fraction(significand) * Fraction(2) ** (max(exponent, 1) + smallest - digits)
    return (-value if sign else value), bool(sign)


def leading_exponent(value):
    """Largest e with 2^e <= |value|."""
    magnitude = abs(value)
    e = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return e if Fraction(2) ** e <= magnitude else e - 1


def unit(name, value):
    digits, smallest, largest = FORMATS[name]
    leading = smallest if value == 0 else leading_exponent(value)
    return Fraction(2) ** (max(leading, smallest) - digits + 1)


def rounded(name, value, zero):
    """The number of the type that is nearest to `value`, ties to even; `zero` or a sign where it is none."""
    digits, smallest, largest = FORMATS[name]
    if value == 0:
        return zero
    step = unit(name, value)
    nearest = round(value / step) * step
    if abs(nearest) >= Fraction(2) ** (largest + 1):
        nearest = INFINITY if value > 0 else NEGATIVE_INFINITY
    elif nearest == 0:
        nearest = POSITIVE_ZERO if value > 0 else NEGATIVE_ZERO
    if name == "f64":
        try:
            assert nearest in (POSITIVE_ZERO, NEGATIVE_ZERO) and float(value) == 0 or Fraction(float(value)) == nearest
        except OverflowError:
            assert nearest in (INFINITY, NEGATIVE_INFINITY)
    return nearest


def encoded(name, number):
    """Bits of what rounded() gave, in hexadecimal."""
    digits, smallest, largest = FORMATS[name]
    total, exponent_bits = width(name)
    words = {POSITIVE_ZERO: 0, NEGATIVE_ZERO: 1 << total - 1, INFINITY: (1 << exponent_bits) - 1 << digits - 1}
    words[NEGATIVE_INFINITY] = words[INFINITY] | words[NEGATIVE_ZERO]
    if isinstance(number, str):
        bits = words[number]
    else:
        step = unit(name, number)
        significand = abs(number) / step
        assert significand.denominator == 1
        exponent = leading_exponent(step) + digits - 1 - smallest
        bits = int(significand) + (exponent << digits - 1) | (words[NEGATIVE_ZERO] if number < 0 else 0)
        assert meaning(name, bits)[0] == number
    return f"{bits:0{total // 4}x}"


def as_float(value):
    """Shortest decimal of the nearest double; null beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return None


def value_of(number):
    return number if isinstance(number, Fraction) else Fraction(0)


def case(name, stored, x, y=None):
    accumulator = ACCUMULATOR[stored]
    numbers = [meaning(stored, bits) for bits in x]
    if y is not None:
        numbers = [(a * b, s != t) for (a, s), (b, t) in zip(numbers, (meaning(stored, bits) for bits in y))]
    exact = sum((value for value, sign in numbers), Fraction(0))
    zero = NEGATIVE_ZERO if numbers and all(value == 0 and sign for value, sign in numbers) else POSITIVE_ZERO
    result = {"name": name, "stored": stored, "accumulator": accumulator}
    result["x"] = [f"{bits:0{width(stored)[0] // 4}x}" for bits in x]
    if y is not None:
        result["y"] = [f"{bits:0{width(stored)[0] // 4}x}" for bits in y]
    result["sum"] = encoded(accumulator, rounded(accumulator, exact, zero))
    naive, overflow = Fraction(0), False
    for value, sign in numbers:
        for step in ("product", "sum"):
            number = rounded(accumulator, value if step == "product" else naive + value, POSITIVE_ZERO)
            overflow = overflow or number in (INFINITY, NEGATIVE_INFINITY)
            if step == "product":
                value = value_of(number)
            else:
                naive = value_of(number)
    magnitude = sum((abs(value) for value, sign in numbers), Fraction(0))
    result["naive"] = None if overflow else encoded(accumulator, naive if naive else POSITIVE_ZERO)
    result["error_ulp"] = None if overflow else as_float(abs(naive - exact) / unit(accumulator, exact))
    result["relative_error"] = None if overflow or exact == 0 else as_float(abs(naive - exact) / abs(exact))
    result["condition"] = None if exact == 0 else as_float(magnitude / abs(exact))
    return result


def bits_of(name, value):
    """Bits of a number that the type has."""
    value = Fraction(value)
    return int(encoded(name, value if value else POSITIVE_ZERO), 16)


def drawn(name, draw, n, low, high, signs=True):
    """n floats of full significands whose exponents lie in [low, high]; at and below the smallest, denormals."""
    digits, smallest, largest = FORMATS[name]
    total = width(name)[0]
    values = []
    for _ in range(n):
        exponent = max(draw.randrange(low, high + 1) - smallest + 1, 0)
        sign = draw.getrandbits(1) if signs else 0
        values.append(sign << total - 1 | exponent << digits - 1 | draw.getrandbits(digits - 1))
    return values


def sums(draw):
    for name in FORMATS:
        digits, smallest, largest = FORMATS[name]
        accumulator = ACCUMULATOR[name]
        kept = FORMATS[accumulator][0]
        sign = 1 << width(name)[0] - 1
        unity, least, greatest = bits_of(name, 1), 1, bits_of(name, (2 - Fraction(2) ** (1 - digits)) * Fraction(2) ** largest)
        low = max(smallest, -60)
        high = min(largest, 60)
        yield case("one number", name, [bits_of(name, Fraction(3, 2))])
        yield case("zeros of both signs", name, [0, sign, sign])
        yield case("negative zeros", name, [sign, sign, sign])
        yield case("cancels to zero", name, [unity, least, unity | sign, least | sign])
        yield case("denormals", name, [draw.getrandbits(digits - 1) | draw.getrandbits(1) * sign for _ in range(24)])
        yield case("denormals carry into normal numbers", name, [(1 << digits - 1) - 1] * 5)
        yield case("greatest numbers", name, [greatest] * 9)
        yield case("beyond the range and back", name, [greatest, greatest, greatest, greatest | sign, greatest | sign, unity])
        yield case("negative overflow", name, [greatest | sign] * (3 if accumulator == name else 8))
        # The sum lies halfway between two numbers of the accumulator, or beside that by the smallest number there is.
        last, half = Fraction(2) ** (1 - kept), Fraction(2) ** -kept
        if half >= Fraction(2) ** (smallest - digits + 1):
            for word, terms in (("tie to even, down", [1, half]), ("tie to even, up", [1, last, half]), ("negative tie", [-1, -last, -half])):
                yield case(word, name, [bits_of(name, t) for t in terms])
                away = least | (sign if terms[0] < 0 else 0)
                yield case(word + ", above it", name, [bits_of(name, t) for t in terms] + [away])
                yield case(word + ", below it", name, [away ^ sign] + [bits_of(name, t) for t in terms])
            yield case("tie below a power of two", name, [bits_of(name, 2), bits_of(name, -half)])
        yield case("same magnitude", name, drawn(name, draw, 60, 0, 0))
        yield case("growing", name, drawn(name, draw, 60, -1, -1, signs=False))
        yield case("wide", name, drawn(name, draw, 60, low, high))
        yield case("every exponent", name, drawn(name, draw, 60, smallest - 1, largest))
        wide = drawn(name, draw, 30, low, high)
        yield case("cancelling but for one", name, wide + [bits ^ sign for bits in reversed(wide)] + [least])
        close = drawn(name, draw, 30, low, high)
        yield case("cancelling but for last places", name, close + [(bits ^ sign) - 1 for bits in close])


def dots(draw):
    for name in FORMATS:
        digits, smallest, largest = FORMATS[name]
        accumulator = ACCUMULATOR[name]
        sign = 1 << width(name)[0] - 1
        unity, least, greatest = bits_of(name, 1), 1, bits_of(name, (2 - Fraction(2) ** (1 - digits)) * Fraction(2) ** largest)
        low, high = max(smallest, -60), min(largest, 60)
        yield case("negative zeros", name, [sign, 0], [unity, unity | sign])
        yield case("zeros of both signs", name, [sign, 0], [unity, unity])
        yield case("least times least", name, [least, least], [least, least | sign])
        yield case("least squared, alone", name, [least], [least])
        yield case("products below the range add up", name, [least] * 40, [bits_of(name, Fraction(1, 2))] * 40)
        yield case("greatest squared and back", name, [greatest, greatest, unity], [greatest, greatest | sign, unity])
        yield case("greatest squared", name, [greatest] * 3, [greatest] * 3)
        yield case("last digits of a square", name, [unity + 1, unity], [unity + 1, unity + 2 | sign])
        yield case("same magnitude", name, drawn(name, draw, 40, 0, 0), drawn(name, draw, 40, 0, 0))
        yield case("wide", name, drawn(name, draw, 40, low, high), drawn(name, draw, 40, low, high))
        yield case("every exponent", name, drawn(name, draw, 40, smallest - 1, largest), drawn(name, draw, 40, smallest - 1, largest))
        x, y = drawn(name, draw, 20, low, high), drawn(name, draw, 20, low, high)
        yield case("cancelling but for one", name, x + x[::-1] + [least], y + [bits ^ sign for bits in y[::-1]] + [unity])


def text():
    draw = random.Random(5)  # getrandbits and randrange of a seeded Random are the same in every Python 3
    cases = [json.dumps(c) for kind in (sums, dots) for c in kind(draw)]
    head = json.dumps({"made_by": "scripts/exact_sums.py", "arithmetic": "fractions.Fraction"})[:-1]
    return head + ', "cases": [\n' + ",\n".join(cases) + "\n]}\n"


def main(arguments):
    if len(arguments) == 1 and arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if len(arguments) != 2 or arguments[0] not in ("--write", "--check"):
        print("exact_sums: give --write FILE or --check FILE; see --help", file=sys.stderr)
        return 2
    path = pathlib.Path(arguments[1])
    try:
        if arguments[0] == "--write":
            path.write_text(text(), encoding="utf-8")
            return 0
        stored = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"exact_sums: {path}: {error}", file=sys.stderr)
        return 2
    if stored == text():
        return 0
    for number, (line, right) in enumerate(zip(stored.splitlines(), text().splitlines()), 1):
        if line != right:
            print(f"exact_sums: {path}: line {number} is not what rational arithmetic gives", file=sys.stderr)
            break
    else:
        print(f"exact_sums: {path}: has more or fewer cases than are drawn", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
