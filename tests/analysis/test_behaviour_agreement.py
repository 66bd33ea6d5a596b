"""Planted behaviour is found; noise is not."""

import numpy as np
import planted

from icl_graphs.analysis import behaviour_agreement, gram

GRID = planted.grid()
GROUPS, CONTEXTS, LAYERS, LAYER = 6, 2, 3, 1


def observed(seed, follows):
  """Sums of activations that are (or are not) the roots of the predictions."""
  rng = np.random.default_rng(seed)
  ideal = GRID / GRID.sum(axis=1, keepdims=True)
  count = np.full((CONTEXTS, GROUPS, 16), 20.0)
  noise = rng.dirichlet(np.full(16, 4.0), size=(CONTEXTS, GROUPS, 16))
  probs = count[..., None] * (0.8 * ideal + 0.2 * noise)
  means = rng.normal(size=(LAYERS, 16, 24))
  if follows:
    means[LAYER, :, :16] = 6 * np.sqrt(0.8 * ideal + 0.2 / 16)
  sums = means[:, None, None] * count[..., None] + rng.normal(
    size=(LAYERS, CONTEXTS, GROUPS, 16, 24)
  )
  return gram.from_sums(sums), probs, count


def correlate(seed, follows):
  return behaviour_agreement.correlate(
    *observed(seed, follows), GRID, layer=LAYER, resamples=60, seed=0
  )


def test_planted_behaviour():
  ds = correlate(0, True)
  at = ds.correlation.sel(layer=LAYER).isel(context=-1)
  for name in ("straight", "beyond"):
    value, low, high, null, _, null_high = at.sel(measure=name).values
    assert null_high < low <= value <= high and abs(null) < 0.05
  assert ds.follows_ideal > 0.9
  # Nothing was asked of other layers at the first context.
  assert ds.correlation.isel(layer=0, context=0).isnull().all()
  np.testing.assert_allclose(ds.probs.sum("next"), 1)


def test_noise_is_rarely_above_its_null():
  above = []
  for seed in range(12):
    ds = correlate(seed, False)
    at = ds.correlation.sel(layer=LAYER, measure="straight").isel(context=-1)
    above.append(at.sel(stat="value") > at.sel(stat="null_high"))
  assert sum(above) <= 2
