"""Straightening on a model that was never trained: nothing to be shown."""

import numpy as np

from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import straightening


def test_untrained_weights_show_nothing(tiny_model, tmp_path):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=24, context=60, seed=1, batch_size=6
  )
  subject = graph_subject.GraphSubject(settings, tmp_path)
  outcome = straightening.RECIPE.run(subject, tmp_path)
  ds = outcome.measurements
  assert dict(ds.angle.sizes) == {
    "condition": 3,
    "walk": 24,
    "layer": 3,
    "context": 6,
  }
  assert np.isfinite(ds.angle).all()
  # Embeddings do not know the context: only the words of the window count.
  assert (ds.angle.sel(layer=0) > 90).all()
  np.testing.assert_allclose(
    straightening.relative(ds.angle.values)[:, :, 0], 0, atol=1e-5
  )
  assert outcome.claims[0].verdict == recipe.NOT_SHOWN
  assert (tmp_path / "straightening.png").stat().st_size > 10_000
