"""Exact values of the bundled coin model's scores, and what counts as met.

From the project's specification of the mixture: three choices give all bands.
Excess loss of at most .002 nats per flip, log-odds shifted by at most one nat,
and 99.9% sampling intervals of 200 sequences of 50 flips.
"""

import math
from typing import Any

# Longest run of a Bernoulli sequence by percent: exact, lowest, highest.
RUNS = {5: (29.4, 23.9, 35.8), 20: (12.5, 10.2, 15.0), 50: (5.98, 5.6, 6.5)}

# The window average after its seed flip.
WINDOW = {
  "mean": (0.507, 0.467, 0.547),
  "SD of mean": (0.0347, None, 0.053),
  "alternation rate": (0.557, 0.509, 0.605),
  "longest run": (4.16, None, 5.07),
}

# p(non) where a word begins like a shorter one, by concept and flips.
PEAKS = {
  ("0000011111", 5): (0.684, 0.44, 0.86),
  ("0000011111", 6): (0.109, 0.04, 0.25),
  ("00001", 4): (0.535, 0.30, 0.76),
  ("00001", 5): (0.123, 0.05, 0.28),
}

# Transitions of p(non) by period: exact, and with a nat more or less.
N50 = {
  1: (4, 2, 6),
  2: (7, 5, 8),
  3: (8, 6, 10),
  4: (10, 8, 11),
  5: (11, 9, 13),
  6: (12, 11, 14),
  7: (14, 12, 15),
  8: (15, 12, 16),
  9: (16, 14, 18),
  10: (17, 15, 19),
  15: (23, 21, 24),
  20: (28, 27, 30),
}
N90 = {
  1: (8, 6, 9),
  2: (10, 8, 11),
  3: (12, 10, 13),
  4: (13, 12, 14),
  5: (14, 13, 16),
  6: (16, 14, 17),
  7: (17, 15, 18),
  8: (18, 17, 20),
  9: (19, 18, 21),
  10: (20, 19, 22),
  15: (26, 25, 27),
  20: (31, 30, 33),
}

# Transitions of concept probability by length and depth: n50, then n90.
CONCEPTS = {
  (2, 4): ((6, 5, 8), (10, 8, 11)),
  (3, 4): ((8, 5, 10), (11, 10, 13)),
  (4, 4): ((9, 3, 11), (13, 11, 14)),
  (5, 4): ((10, 0, 12), (14, 12, 15)),
  (2, 6): ((7, 5, 8), (10, 8, 11)),
  (3, 6): ((8, 7, 10), (12, 10, 13)),
  (4, 6): ((10, 8, 11), (13, 12, 14)),
  (5, 6): ((11, 9, 13), (14, 13, 16)),
}


def row(
  exact: float, low: float | None, high: float | None, value: float
) -> dict[str, Any]:
  """A score beside its exact value and its band.

  Args:
    exact: of the Bayesian predictor.
    low: lowest value that is met; None for no limit.
    high: highest; a score without either limit is reported, not judged.
    value: of the model; NaN is never met.
  """
  value = float(value)
  low, high = (None if end is None else float(end) for end in (low, high))
  judged = low is not None or high is not None
  inside = (low is None or value >= low) and (high is None or value <= high)
  return {
    "exact": float(exact),
    "low": low,
    "high": high,
    "value": None if math.isnan(value) else value,
    "met": inside and not math.isnan(value) if judged else None,
  }
