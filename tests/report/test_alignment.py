"""Turning a picture changes nothing but its direction."""

import numpy as np

from icl_graphs.report import alignment, palette, placement, view


def turned(points, angle):
  c, s = np.cos(angle), np.sin(angle)
  return points @ np.array([[c, s], [-s, c]])


def test_undoes_rotation_and_reflection():
  points = np.random.default_rng(0).normal(size=(9, 2))
  moved = turned(points * [1, -1], 0.7)
  rotation = alignment.rotation_onto(moved, points)
  np.testing.assert_allclose(rotation @ rotation.T, np.eye(2), atol=1e-12)
  expected = points - points.mean(axis=0)
  found = moved @ rotation
  np.testing.assert_allclose(found - found.mean(axis=0), expected, atol=1e-12)


def test_missing_rows_are_left_out():
  points = np.random.default_rng(0).normal(size=(9, 2))
  moved = turned(points, 2.0)
  moved[3] = np.nan
  expected = alignment.rotation_onto(
    np.delete(moved, 3, 0), np.delete(points, 3, 0)
  )
  found = alignment.rotation_onto(moved, points)
  np.testing.assert_allclose(found, expected)
  empty = np.full((9, 2), np.nan)
  np.testing.assert_array_equal(
    alignment.rotation_onto(empty, points), np.eye(2)
  )


def test_pictures_do_not_jump():
  """The same shape with arbitrary axes in every cell ends up still."""
  rng = np.random.default_rng(0)
  layout = rng.normal(size=(8, 2))
  layout -= layout.mean(axis=0)
  scores = np.stack(
    [
      np.stack([turned(layout * rng.choice([-1, 1], 2), a) for a in row])
      for row in rng.uniform(0, 6, size=(3, 4))
    ]
  )
  scores[1, 2] = np.nan  # a missing picture does not break the chain
  found = scores @ alignment.rotations(scores, layout, layer=1)
  known = np.isfinite(found).all(axis=(-2, -1))
  assert known.sum() == 11
  for picture in found[known]:
    np.testing.assert_allclose(picture, layout, atol=1e-9)


def test_labels_avoid_each_other():
  points = np.array([[0.0, 0.0], [0.05, 0.0], [np.nan, np.nan], [1.4, 0.0]])
  centres = placement.label_centres(points, np.full(4, 0.4), 0.1, 0.05, 1.45)
  apart = np.abs(centres[0] - centres[1])
  assert apart[0] >= 0.4 or apart[1] >= 0.1
  assert np.isnan(centres[2]).all()
  assert centres[3, 0] + 0.2 <= 1.45


def test_colours_differ_by_place():
  place = np.array([(x, y) for x in range(4) for y in range(4)], float)
  colours = palette.by_place(place)
  assert len(set(colours)) == 16
  line = palette.by_place(np.array([[0.0, 0.0], [1.0, 0.0]]))
  assert len(set(line)) == 2


def test_log_bins_keep_early_times_and_skip_gaps():
  times = np.arange(1.0, 401)
  values = np.stack([times, np.where(times % 3 == 0, 1.0, np.nan)])
  centres, means = view.log_bins(times, values, 60)
  assert len(centres) <= 60
  np.testing.assert_allclose(centres[:4], [1, 2, 3, 4])
  assert np.isnan(means[1, 0]) and means[1, -1] == 1
  nothing, _ = view.log_bins(times, np.full((1, 400), np.nan), 60)
  assert nothing.size == 0


def test_tied_modes_are_averaged(tree):
  modes = view.views(tree)[0].modes
  assert modes.multiplicity.sum() == 15
  assert modes.multiplicity[0] == 2
  whole = (modes.power * modes.multiplicity).sum(axis=-1)
  np.testing.assert_allclose(whole, 1)
