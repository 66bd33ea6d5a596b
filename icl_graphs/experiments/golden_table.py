"""Published numbers of Llama-3.1-8B on the 4x4 grid, and how near is near.

Values are computed from the measurements released in andyrdt/iclr_induction
(A. Arditi, ICLR Blogposts 2026). Bands are for the same walks in float32: a
recommendation, not measured; half precision gets twice as much.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import math

from icl_graphs.analysis import published

PASS, FAIL = "pass", "fail"
NOT_APPLICABLE, NO_BAND = "not applicable", "no band"

# Ranks 4/5 and 8/9 of the second list nearly tie: take these lists rather than
# a model's own scores.
_INDUCTION = """15.30 8.1 16.20 2.22 10.14 5.11 15.1 24.27 20.1 5.8 20.14 19.3
26.15 2.20 27.6 2.12 26.13 28.15 16.1 27.5 13.6 2.25 27.7 22.14 16.23 27.4 5.9
20.13 10.13 2.21 15.28 19.0"""
_PREVIOUS = """0.2 14.26 1.20 9.11 1.18 0.3 1.16 14.8 7.2 0.24 1.13 0.26 21.7
11.16 0.6 7.1 1.4 6.8 12.16 1.26 9.10 25.20 1.24 16.29 18.26 9.8 21.10 14.9
11.19 1.30 16.22 1.1"""
SIZES = (1, 2, 4, 8, 16, 32)
RANDOM_SEEDS = (100, 101, 102, 103)


def _heads(text: str) -> tuple[tuple[int, int], ...]:
  return tuple(
    (int(layer), int(head))
    for layer, head in (one.split(".") for one in text.split())
  )


HEADS = {"induction": _heads(_INDUCTION), "previous-token": _heads(_PREVIOUS)}


@dataclasses.dataclass(frozen=True)
class Published:
  """A row of the table.

  Attributes:
    key: of the value.
    text: what it is.
    value: as published.
    band: how far a run may be from it; None where none is stated.
    relative: whether the band is a share of the value.
  """

  key: str
  text: str
  value: float
  band: float | None
  relative: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
  """A row held against a run.

  Attributes:
    key, text, published: see `Published`.
    band: distance allowed on this device; None where none is stated.
    value: of the run; None where there is none.
    verdict: pass, fail, not applicable or no band.
    reason: why there is no value.
  """

  key: str
  text: str
  published: float
  band: float | None
  value: float | None
  verdict: str
  reason: str = ""


def _many(keys, texts, values, band, relative=False):
  return [
    Published(key, text, value, band, relative)
    for key, text, value in zip(keys, texts, values, strict=True)
  ]


def _accuracies():
  ranges = published.RANGES
  values = (0.211, 0.396, 0.594, 0.758, 0.855, 0.892, 0.902)
  for (a, b), value in zip(ranges, values, strict=True):
    band = 0.01 if b < 150 else 0.005
    yield Published(f"t {a}-{b}", f"accuracy, words {a} to {b}", value, band)
  values = (0.0002, 0.162, 0.384, 0.628, 0.775, 0.871, 0.892)
  for t, value in zip(published.SINGLE, values, strict=True):
    yield Published(f"t {t}", f"accuracy at word {t}", value, 0.01)
  values = (0.071, 0.305, 0.409, 0.474, 0.579, 0.725, 0.826, 0.861, 0.889)
  for v, value in zip(published.VISITS, values, strict=True):
    yield Published(f"v {v}", f"accuracy after {v} earlier visits", value, 0.01)


def _ablations():
  for kind, values in (
    ("induction", (0.884, 0.871, 0.570, 0.531, 0.500, 0.392)),
    ("previous-token", (0.877, 0.560, 0.506, 0.427, 0.366, 0.279)),
  ):
    for k, value in zip(SIZES, values, strict=True):
      text = f"accuracy, last 200 words, top {k} {kind} heads ablated"
      yield Published(f"without {kind} {k}", text, value, 0.02)
  yield Published(
    "without random 32",
    "accuracy, last 200 words, 32 random heads ablated, mean of 4 sets",
    *(0.878, 0.01),
  )
  for kind, values, band in (
    ("induction", (0.980, 0.967), 0.01),
    ("previous-token", (0.863, 0.146), 0.05),
  ):
    for k, value in enumerate(values, 1):
      yield Published(
        f"cosine {k} without {kind}",
        f"principal cosine {k}, 32 {kind} heads ablated",
        *(value, band),
      )


def _representation():
  energies = "energy_edge energy_ratio energy_centred energy_degree".split()
  yield from _many(energies, energies, (270.4, 0.162, 2.59, 0.892), 0.01, True)
  yield from _many(
    ("energy_frobenius", "energy_frobenius_null"),
    ("energy_frobenius", "energy_frobenius without structure"),
    *((1.234e-4, 1.524e-4), 0.01, True),
  )
  yield Published("mean_share", "share of the common mean", 0.805, 0.005)
  yield from _many(
    [f"pc{k}" for k in (1, 2, 3, 4)],
    [f"explained ratio of component {k}" for k in (1, 2, 3, 4)],
    *((0.196, 0.165, 0.100, 0.074), 0.005),
  )
  yield from _many(
    ("principal_cosine_1", "principal_cosine_2"),
    ("principal cosine 1", "principal cosine 2"),
    *((0.986, 0.982), 0.005),
  )
  yield Published("distance_correlation", "distance correlation", 0.822, 0.01)
  names = "fiedler_power", "parity_power", "half_energy_ratio"
  yield from _many(
    (*names, "half_fiedler_power"),
    (
      "power of the Fiedler pair",
      "power of parity",
      "energy_ratio between split halves",
      "power of the Fiedler pair between split halves",
    ),
    *((0.353, 0.087, 0.161, 0.359), 0.01),
  )
  for name, mean, spread in (
    ("energy_ratio", 0.200, 0.007),
    ("distance_correlation", 0.0, 0.10),
    ("fiedler_power", 0.132, 0.024),
    ("parity_power", 0.066, 0.017),
  ):
    yield Published(f"null_{name}", f"{name}, relabelled: mean", mean, None)
    yield Published(f"null_sd_{name}", f"{name}, relabelled: sd", spread, None)
  for name, text, value in (
    ("r2_current", "current word", 0.80),
    ("r2_previous", "previous word", 0.46),
    ("r2_additive", "both, additive", 0.890),
    ("r2_bigram", "bigram", 0.898),
  ):
    yield Published(name, f"adjusted R² of activations on: {text}", value, 0.01)


def _scores():
  for kind, values in (
    ("induction", (0.98, 0.85, 0.80, 0.77, 0.69, 0.68)),
    ("previous-token", (0.70, 0.64, 0.56, 0.45, 0.45, 0.39)),
  ):
    for (layer, head), value in zip(HEADS[kind][:6], values, strict=True):
      yield Published(
        f"{kind} {layer}.{head}",
        f"{kind} score of head {layer}.{head}",
        *(value, 0.05),
      )


PUBLISHED = (*_accuracies(), *_ablations(), *_representation(), *_scores())


def judge(
  values: Mapping[str, float],
  missing: Mapping[str, str],
  half_precision: bool = False,
  rows: Sequence[Published] = PUBLISHED,
) -> list[Row]:
  """Holds values against the table.

  Args:
    values: by key.
    missing: why there is no value, by key.
    half_precision: doubles the bands.
    rows: of the table.
  """
  judged = []
  for one in rows:
    band = one.band
    if band is not None:
      band *= (abs(one.value) if one.relative else 1) * (1 + half_precision)
    value = values.get(one.key)
    if value is None or not math.isfinite(value):
      reason = missing.get(one.key, "not measured")
      known = None
      verdict = FAIL if one.key in values else NOT_APPLICABLE
    else:
      reason, known = "", float(value)
      verdict = NO_BAND
      if band is not None:
        # Rounding of the published digits is no difference.
        near = abs(value - one.value) <= band * (1 + 1e-9)
        verdict = PASS if near else FAIL
    judged.append(
      Row(one.key, one.text, one.value, band, known, verdict, reason)
    )
  return judged


def markdown(rows: Sequence[Row], heading: str) -> str:
  """The table, and how many rows got which verdict."""
  lines = [
    heading,
    "",
    "| quantity | published | band | this run | verdict |",
    "|---|---|---|---|---|",
  ]
  for row in rows:
    value = row.reason if row.value is None else f"{row.value:.4g}"
    band = "" if row.band is None else f"±{row.band:.2g}"
    lines.append(
      f"| {row.text} | {row.published:.4g} | {band} | {value} | {row.verdict} |"
    )
  return "\n".join([*lines, "", count(rows), ""])


def count(rows: Sequence[Row]) -> str:
  """How many rows got which verdict, in words."""
  verdicts = [row.verdict for row in rows]
  return ", ".join(
    f"{verdicts.count(one)} {one}"
    for one in (PASS, FAIL, NOT_APPLICABLE, NO_BAND)
  )
