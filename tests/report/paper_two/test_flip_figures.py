"""Pictures of generated and of judged flips, on invented ones."""

import numpy as np
import pytest

from icl_graphs.analysis import judgments, simulated
from icl_graphs.report.paper_two import (
  generation,
  judgment,
  judgment_checks,
  subsequences,
)


@pytest.fixture(scope="module")
def generator():
  return np.random.default_rng(0)


def values(generator, conditions, *, replicates=True):
  drawn = generator.random((3, conditions, 5))
  return simulated.Values(
    drawn[0, :, 0], drawn[0] if replicates else None, drawn[1], drawn[2]
  )


def test_figures_of_generated_flips(generator, tmp_path):
  flips = generator.integers(0, 2, (4, 12, 20))
  path = tmp_path / "figure.png"
  sets = dict.fromkeys((20, 50), (flips[0], flips[1], flips[2]))
  generation.running_means(path, sets)
  generation.fallacy(path, dict.fromkeys((20, 50), (flips[0], flips, flips)))
  stated = np.array([0.2, 0.5, 0.9])
  names = ("alternation", "sd_of_mean", "longest_run")
  measured = {name: values(generator, 3) for name in names}
  generation.control(path, stated, values(generator, 3), measured)
  gain = np.sort(generator.random((3, 3)), axis=0)[[1, 0, 2]]
  generation.comparison(path, stated, dict.fromkeys("abc", gain))
  assert path.stat().st_size > 5000


def test_constant_flips_have_a_histogram(tmp_path):
  flips = np.ones((2, 4, 10), np.int8)
  path = tmp_path / "figure.png"
  generation.fallacy(path, {95: (flips[0], flips, flips)})
  assert path.stat().st_size > 2000


def test_figures_of_subsequences(generator, tmp_path):
  path = tmp_path / "figure.png"
  windows = subsequences.Windows(
    50,
    np.array([5, 10]),
    values(generator, 2, replicates=False),
    np.array([32.0, 400.0]),
    10,
    [np.array([5, 2, 1])] * 3,
  )
  measured = {
    name: values(generator, 3, replicates=False)
    for name in ("gzip_together", "indel")
  }
  subsequences.draw(path, np.array([0.1, 0.5, 0.9]), measured, windows)
  tables = [generator.random(2**order) for order in (1, 2, 3)]
  subsequences.chains(path, 50, {"the model": tables, "window": tables})
  assert path.stat().st_size > 5000


@pytest.mark.parametrize("exact", [False, True])
def test_figures_of_judgments(generator, tmp_path, exact):
  lengths = np.arange(1, 41)
  periods = np.array([2, 3, 5, 5, 7, 20])
  odds = 0.7 * (lengths - periods[:, None] - 4.0)
  curves = judgments.as_probability(odds)
  # One concept is never found out.
  curves[-1] = 0.1
  found = judgments.transitions(curves, lengths, periods)
  path = tmp_path / "figure.png"
  fair = 0.75 + 0.2 * generator.random((6, 40))
  judgment.judged(
    path, lengths, 1 - curves, periods, fair, fair if exact else None
  )
  judgment.transitions(path, periods, found, found if exact else None)
  by_name = dict(zip("abcdef", odds, strict=True))
  judgment.evidence(path, lengths, by_name, by_name if exact else None)
  advantage = np.stack([curves[0], curves[0] - 0.1, curves[0] + 0.1])
  judgment_checks.draw(
    path,
    lengths,
    dict(zip("abcde", curves, strict=False)),
    advantage,
    curves[0] if exact else None,
    generator.random((2, 30)),
  )
  assert path.stat().st_size > 5000
