"""Several models of paper two side by side, from the folders of their runs."""

import json

import numpy as np
import pytest
import xarray as xr

from icl_graphs.experiments.paper_two import many_models
from icl_graphs.report import figures, model_table, run_folder
from icl_graphs.report.paper_one import intervals
from icl_graphs.report.paper_two import models_flips
from icl_graphs.tasks import coins
from launch import experiments

PERCENTS = [80, 20, 50]
N = np.arange(13)


def flips(generator, names):
  data = {}
  for name in names:
    data[name] = (("percent",), generator.random(3) + 0.1)
    data[f"{name}_bernoulli"] = (
      ("percent", "set"),
      generator.random((3, 39)) + 0.1,
    )
  return data


def generation(generator, pull):
  names = ("mean", "longest_run", "alternation", "sd_of_mean")
  data = flips(generator, names)
  mean = 0.5 + (np.array(PERCENTS) / 100 - 0.5) * pull
  for name, shift in (("mean", 0), ("mean_low", -0.02), ("mean_high", 0.02)):
    data[name] = (("percent",), mean + shift)
  return xr.Dataset(data, {"percent": PERCENTS})


def judgment(generator, exact):
  names = coins.JUDGMENT_CONCEPTS
  mass = np.log(generator.dirichlet((1, 1), size=(2 * len(names), len(N))))
  data = {"log_mass": (("stimulus", "flips", "answer"), mass)}
  if exact:
    odds = np.broadcast_to(N - 6.0, (2 * len(names), len(N)))
    data["exact_log_odds"] = (("stimulus", "flips"), odds)
  return xr.Dataset(data, {"concept": list(names), "flips": N})


def trees(generator, exact):
  dims = ("depth", "concept", "length")
  curves = np.sort(generator.random((2, 3, len(N))), axis=-1)
  data = {"model_concept_probability": (dims, curves)}
  if exact:
    data["exact_concept_probability"] = (dims, curves**2)
  names = ["01", "011", "00101"]
  return xr.Dataset(data, {"depth": [4, 6], "concept": names, "length": N})


def questions(generator):
  score = generator.dirichlet((1,) * 6, size=(4, 3))
  return xr.Dataset(
    {"score": (("question", "length", "class"), score)},
    {
      "length": [0, 4, 40],
      "class": ["Flips", *"ABCD", "Answer"],
      "key": ("question", list("ABCA")),
    },
  )


@pytest.fixture
def folders(tmp_path):
  """Two whole runs of models of one name, and one that can only judge."""
  generator = np.random.default_rng(0)
  made = []
  for place, name in enumerate("abc"):
    exact = place == 1
    measured = {"judgment": judgment(generator, exact)}
    if place < 2:
      measured |= {
        "generation": generation(generator, pull=1 - place),
        "subsequences": xr.Dataset(
          flips(generator, ("distinct", "gzip_together", "indel")),
          {"percent": PERCENTS},
        ),
        "trees": trees(generator, exact),
        "distraction": questions(generator),
      }
    folder = tmp_path / name
    summary = {}
    for recipe, data in measured.items():
      (folder / recipe).mkdir(parents=True)
      run_folder.write_measurements(
        folder / recipe / run_folder.MEASUREMENTS, xr.DataTree(data)
      )
      slope = {"value": 0.9, "low": 0.8, "high": 1.0, "null": 0.0}
      summary[recipe] = {
        "title": recipe,
        "claims": [],
        "numbers": {"slope_of_mean_on_p": slope, "evidence_slope": slope},
      }
    run_folder.write_json(folder / run_folder.SUMMARY, summary)
    model = "owner/model" if place < 2 else "other"
    run_folder.write_json(folder / run_folder.RUN, {"model": model})
    made.append(folder)
  return made


@pytest.fixture
def drawn(monkeypatch):
  """What is drawn, by file; on disk, coarsely, only where there is a page."""
  found = {}

  def kept(figure, path, dpi=None):
    found[path.name] = figure
    if path.parent.name == "page":
      figure.savefig(path, dpi=20)

  monkeypatch.setattr(figures, "write_png", kept)
  return found


def test_page_holds_numbers_and_curves_of_all(folders, drawn, tmp_path):
  out = tmp_path / "page"
  experiments.compare(folders, out)
  page = (out / model_table.PAGE).read_text("utf-8")
  assert page.count("data:image/png") == len(drawn) == 6
  for text in ("owner/model (a)", "owner/model (b)", "other", "slope of mean"):
    assert text in page
  assert "http" not in page
  left, right = drawn["models_mean.png"].axes
  _, first, second = (line.get_ydata() for line in left.lines)
  np.testing.assert_allclose(first, [0.2, 0.5, 0.8])
  np.testing.assert_allclose(second, 0.5)
  np.testing.assert_allclose(right.lines[1].get_ydata(), 0, atol=1e-9)
  labels = [
    text.get_text() for text in drawn["models_mean.png"].legends[0].texts
  ]
  assert labels == ["the stated coin", "owner/model (a)", "owner/model (b)"]
  # The third model has the same colour wherever it is drawn.
  fair = drawn["models_judged.png"].axes[1]
  colours = [line.get_color() for line in fair.lines[:3]]
  assert colours == [intervals.look(place).colour for place in range(3)]
  exact = next(x for x in fair.lines if "exact" in x.get_label())
  np.testing.assert_allclose(exact.get_ydata(), 1 / (1 + np.exp(N[1:] - 6.0)))


def test_bands_are_those_of_independent_flips(drawn, tmp_path):
  generator = np.random.default_rng(1)
  names = ("longest_run", "alternation", "distinct", "gzip_together", "indel")
  data = xr.Dataset(flips(generator, names), {"percent": PERCENTS})
  models_flips.statistics(tmp_path / "flips.png", {"one": data, "none": None})
  below = drawn["flips.png"].axes[5]
  null = data["longest_run_bernoulli"].sortby("percent").values
  ends = np.quantile(null, (0.025, 0.975), axis=1) / null.mean(axis=1) - 1
  band = below.collections[0].get_paths()[0].vertices[:, 1]
  assert {*np.round(100 * ends.ravel(), 6)} <= {*np.round(band, 6)}


def test_what_no_model_has_is_not_drawn(folders, drawn, tmp_path):
  written = many_models.draw(model_table.read(folders[2:]), tmp_path)
  assert [one["file"] for one in written] == [
    "models_judged.png",
    "models_concepts.png",
  ]
  # A recipe that this run's settings have not finished is not shown either.
  path = folders[2] / run_folder.SUMMARY
  path.write_text(json.dumps({}))
  assert many_models.draw(model_table.read(folders[2:]), tmp_path) == []


def test_looks_differ_in_greyscale():
  looks = [intervals.look(place) for place in range(14)]
  assert len({look.marker for look in looks}) == 14
  assert len({(look.colour, str(look.dashes)) for look in looks}) == 14
