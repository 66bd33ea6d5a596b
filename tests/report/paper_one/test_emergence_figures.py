"""Pictures of emergence, energies and their controls, on synthetic runs."""

import dataclasses

import numpy as np
import PIL.Image
import pytest
import xarray as xr

from icl_graphs.report import view
from icl_graphs.report.paper_one import (
  animation,
  drawing,
  emergence,
  energy_and_accuracy,
  energy_variants,
  spectral_alignment,
  untrained,
)


@pytest.fixture(scope="module")
def ones(tree):
  """Two graphs that form, each with the control of the first."""
  grid, ring, _ = view.views(tree)
  return [grid, dataclasses.replace(ring, control=ring)]


def test_states_need_null_and_control(ones):
  grid, ring = ones
  found = emergence.states(grid)
  assert found.shape == (grid.size("layer"), grid.size("context"))
  assert found[-1, -1] == "present"
  assert set(found[0]) == {"absent"}
  # A control that is as good leaves nothing to claim.
  alone = dataclasses.replace(ring, control=None)
  assert emergence.states(alone)[-1, -1] == "present"
  assert emergence.states(ring)[-1, -1] == "matched"


def test_unseen_words_are_unknown(ones):
  grid = ones[0]
  energy = grid.dataset["energy_relative"].copy()
  energy[{"context": 0}] = np.nan
  one = dataclasses.replace(
    grid, dataset=grid.dataset.assign(energy_relative=energy)
  )
  assert set(emergence.states(one)[:, 0]) == {"unknown"}


def test_chosen_layers_hold_embedding_report_and_last(ones):
  deep = xr.Dataset(coords={"layer": np.arange(33)})
  for layer in (0, 7, 26, 32):
    one = view.GraphView("deep", deep, layer=layer)
    chosen = emergence.chosen_layers(one)
    assert {0, layer, 32} <= set(chosen)
    assert len(chosen) == emergence.ROWS
    assert chosen == sorted(chosen, reverse=True)


@pytest.mark.parametrize("components", [(0, 1), (1, 2)])
def test_gallery(ones, tmp_path, components):
  path = tmp_path / "gallery.png"
  assert drawing.write(path, emergence.over_layers, ones[0], components)
  with PIL.Image.open(path) as image:
    assert image.size[0] > 100
  blind = dataclasses.replace(
    ones[0], dataset=ones[0].dataset.drop_vars("pca_scores")
  )
  assert not drawing.write(path, emergence.over_layers, blind, components)


def test_strip(ones, tmp_path):
  assert drawing.write(tmp_path / "strip.png", emergence.over_context, ones)


def test_animation_has_a_frame_per_context(ones, tmp_path, monkeypatch):
  monkeypatch.setattr(animation, "DPI", 40)
  path = tmp_path / "mesh.gif"
  assert animation.write(ones[0], path)
  with PIL.Image.open(path) as image:
    assert image.n_frames == ones[0].size("context")
    assert image.info["loop"] == 0


def test_control_figure(ones, tmp_path):
  chance = [np.full(one.size("time"), 0.2) for one in ones]
  path = tmp_path / "untrained.png"
  assert drawing.write(path, untrained.beside, ones, chance)


def test_thirds_cover_all_depths():
  assert energy_and_accuracy.thirds(6) == [[0, 1], [2, 3], [4, 5]]
  early, middle, late = energy_and_accuracy.thirds(33)
  assert early[0] == 0 and late[-1] == 32
  assert len(middle) == energy_and_accuracy.MOST
  assert energy_and_accuracy.thirds(2) == [[0], [1], []]


def events_of(one):
  """Invented event times in the form the figures read."""
  layers, windows = one.labels("layer"), one.labels("window")
  contexts = one.labels("context")
  shape = len(layers), len(windows)
  times = np.broadcast_to([20.0, 15.0, 30.0], (*shape, 3)).copy()
  times[0] = np.nan
  curve = np.linspace(0, 1, len(contexts))
  return xr.Dataset(
    {
      "energy_half": (("layer", "window", "stat"), times),
      "energy_settled": (("layer", "window", "stat"), 2 * times),
      "untrained_settled": (("layer", "window"), times[..., 0]),
      "accuracy_half": (
        ("accuracy", "window", "stat"),
        np.broadcast_to([50.0, 45.0, 60.0], (2, shape[1], 3)),
      ),
      "accuracy_curve": (
        ("accuracy", "window", "context"),
        np.broadcast_to(curve, (2, shape[1], len(contexts))),
      ),
    },
    coords={
      "layer": layers,
      "window": windows,
      "context": contexts,
      "accuracy": ["restricted", "full"],
      "stat": ["value", "low", "high"],
    },
    attrs={
      "unit": "words",
      "report_layer": layers[one.layer],
      "report_window": windows[one.window],
    },
  )


def test_energy_figures(ones, tmp_path):
  grid = ones[0]
  events = events_of(grid)
  path = tmp_path / "energy.png"
  assert drawing.write(path, energy_and_accuracy.by_depth, grid, events)
  assert drawing.write(path, energy_and_accuracy.order, {"grid": events})
  assert not drawing.write(path, energy_and_accuracy.order, {})
  assert drawing.write(path, energy_variants.variants, grid)


def test_alignment_figures(ones, tmp_path):
  path = tmp_path / "alignment.png"
  assert drawing.write(path, spectral_alignment.by_layer, ones)
  shares = spectral_alignment.Shares(
    np.full((4, 9), 1 / 9), np.arange(1.0, 10), np.array([2, 1] * 4 + [1])
  )
  assert drawing.write(path, spectral_alignment.by_space, {"grid": shares}, 3)
