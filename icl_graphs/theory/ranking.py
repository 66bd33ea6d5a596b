"""Which accounts a comparison supports, and which it cannot tell apart."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from icl_graphs.theory import candidates

# Largest p, over all accounts at once, at which one counts as supported. Takes
# 99 relabellings or more.
SUPPORT_LEVEL = 0.01
# Differences in R2 below this are finer than the grids of parameters, and than
# anything the accounts claim.
MARGIN = 0.005
BEST, TIED, BEHIND = "best", "not told apart from the best", "behind the best"
UNSUPPORTED, REFERENCE = "unsupported", "reference"


class Rank(NamedTuple):
  """One account's line in the ranking.

  score, low, high, null, null_sd, p: held-out R2 of the signed spectrum.
  behind, behind_low, behind_high: what the best has over it, paired.
  log_likelihood and its limits: held-out, beyond no structure, in nats per
  column and dimension.
  """

  name: str
  title: str
  parameters: dict[str, float]
  score: float
  low: float
  high: float
  null: float
  null_sd: float
  p: float
  behind: float
  behind_low: float
  behind_high: float
  log_likelihood: float
  log_likelihood_low: float
  log_likelihood_high: float
  verdict: str


def ranking(compared: xr.Dataset) -> list[Rank]:
  """All accounts at the report layer, window and last context, best first.

  Args:
    compared: from `comparison.compare`.

  Returns:
    Verdicts: the best; not told apart from it, where the interval of the paired
    difference reaches below `MARGIN`; behind it; unsupported, where relabelled
    nodes do as well (p above `SUPPORT_LEVEL`) or the interval reaches a flat
    spectrum.
  """
  cell = compared.sel(
    layer=compared.attrs["report_layer"], window=compared.attrs["report_window"]
  ).isel(context=-1)
  lines = [_line(cell.isel(account=k)) for k in range(cell.sizes["account"])]
  lines.sort(key=lambda line: -np.nan_to_num(line.score, nan=-np.inf))
  best = next((one for one in lines if _supported(one)), None)
  return [one._replace(verdict=_verdict(one, best)) for one in lines]


def sentence(ranks: list[Rank]) -> str:
  """The ranking in words."""
  best = [one for one in ranks if one.verdict == BEST]
  if not best:
    return (
      "No account is supported: with the words dealt to the nodes at random, "
      "some account does as well."
    )
  tied = [one.title for one in ranks if one.verdict == TIED]
  text = (
    f"Best on held-out walks: {best[0].title} (R2 {best[0].score:.2f}, "
    f"[{best[0].low:.2f}, {best[0].high:.2f}])"
  )
  if tied:
    return f"{text}; the data cannot tell it from {_joined(tied)}."
  return f"{text}; every other account is behind."


def _joined(titles: list[str]) -> str:
  return " or from ".join(titles)


def _line(one: xr.Dataset) -> Rank:
  name = str(one["account"].values)
  prefix = "parameter_"
  parameters = {
    key.removeprefix(prefix): float(one[key])
    for key in map(str, one.data_vars)
    if key.startswith(prefix) and np.isfinite(one[key])
  }
  return Rank(
    name,
    candidates.TITLES[name],
    parameters,
    *(float(x) for x in one["score"].values),
    *(float(x) for x in one["score_behind"].values[:3]),
    *(float(x) for x in one["log_likelihood"].values[:3]),
    verdict=REFERENCE,
  )


def _supported(line: Rank) -> bool:
  # A missing interval does not speak against an account.
  return line.p <= SUPPORT_LEVEL and line.score > 0 and not line.low <= 0


def _verdict(line: Rank, best: Rank | None) -> str:
  if line.name == "flat":
    return REFERENCE
  if not _supported(line):
    return UNSUPPORTED
  if best is not None and line.name == best.name:
    return BEST
  return TIED if line.behind_low <= MARGIN else BEHIND
