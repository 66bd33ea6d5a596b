import time

import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import geometry, gram, measurements, pca


@pytest.fixture(scope="module")
def run():
  raw, activations, nodes = planted.observe(planted.grid())
  ds = measurements.derive(
    raw,
    report_layer=1,
    resamples=60,
    permutations=60,
    headline_draws=100,
    seed=3,
  )
  return ds, raw, activations, nodes


def test_values_equal_class_means_computed_from_activations(run):
  ds, _, activations, nodes = run
  adjacency = planted.grid()
  frame = geometry.frame(adjacency)
  for layer, window, context in [(0, 60, 80), (1, 20, 80), (1, 60, 30)]:
    inside = slice(max(0, context - window), context)
    seen = nodes[:, inside].ravel()
    vectors = activations[layer][:, inside].reshape(len(seen), -1)
    cell = ds.sel(layer=layer, window=window, context=context)
    assert cell["count"].sum() == len(seen)
    means = np.stack([vectors[seen == node].mean(0) for node in range(16)])
    products = gram.from_rows(means)
    expected = geometry.measure(products, frame, means.shape[1])
    for name, value in expected.items():
      found = cell[name].sel(stat="value")
      np.testing.assert_allclose(found, value, rtol=1e-7, err_msg=name)
    axes = pca.axes(products)
    np.testing.assert_allclose(
      cell["pca_scores"], pca.scores(axes, 4), atol=1e-7
    )
    np.testing.assert_allclose(
      cell["explained_ratio"], pca.explained_ratio(axes, 4), atol=1e-9
    )
    assert cell["laplacian_power"].sum() == pytest.approx(1)
    assert cell["mean_share"] == pytest.approx(gram.mean_share(products))


def test_schema_of_the_result(run):
  ds, raw, _, _ = run
  cell = ("layer", "window", "context")
  for name in geometry.NAMES:
    assert ds[name].dims == (*cell, "stat")
  assert ds["stat"].values.tolist() == list(measurements.STATS)
  assert ds["laplacian_power"].dims == (*cell, "mode")
  assert ds["mode"].values.tolist() == list(range(2, 17))
  assert ds["laplacian_eigenvalue"].dims == ("mode",)
  assert ds["pca_scores"].dims == (*cell, "node", "component")
  assert ds["explained_ratio"].dims == (*cell, "component")
  assert ds["enough"].dims == ("window", "context", "node")
  for name in ("accuracy_full", "accuracy_restricted", "node_mass"):
    assert ds[f"{name}_mean"].dims == ("time", "stat")
  for name in (
    *("memorisation_1shot", "memorisation_2shot"),
    *("seen_once", "seen_twice", "bayes"),
  ):
    assert ds[name].dims == ("time",)
  for name in raw:
    assert ds[name].identical(raw[name])


def test_structure_is_found_where_it_was_planted_and_only_there(run):
  ds, *_ = run
  last = ds.isel(context=-1).sel(window=60)
  for layer, planted_here in ((0, False), (1, True)):
    stats = last["energy_relative"].sel(layer=layer)
    value, null, spread = (
      float(stats.sel(stat=s)) for s in ("value", "null", "null_sd")
    )
    assert (value < null - 3 * spread) == planted_here
    assert (value < float(stats.sel(stat="null_low"))) == planted_here
    low, high = float(stats.sel(stat="low")), float(stats.sel(stat="high"))
    assert low < value < high


def test_accuracies(run):
  ds, raw, _, _ = run
  full, mass = raw["accuracy_full"].values, raw["node_mass"].values
  value = ds["accuracy_restricted_mean"].sel(stat="value")
  np.testing.assert_allclose(value, (full / mass).mean(axis=0))
  np.testing.assert_allclose(
    ds["accuracy_restricted_mean"].sel(stat="null"), 0.2
  )
  final = ds["accuracy_full_final"]
  assert final.sel(stat="value") == pytest.approx(full[:, 64:].mean())
  null = raw["null_mass"].values[:, 64:].mean()
  assert final.sel(stat="null") == pytest.approx(null)
  assert final.sel(stat="low") < final.sel(stat="value")


def test_headline_is_the_cell_asked_for_and_plain_json(run):
  ds, *_ = run
  found = measurements.headline(ds, 1, 20)
  assert set(geometry.NAMES) < set(found)
  cell = ds.sel(layer=1, window=20, context=80)
  for name in geometry.NAMES:
    assert set(found[name]) == {"value", "low", "high", "null"}
    assert found[name]["value"] == float(cell[name].sel(stat="value"))
  assert found["pc12_variance"]["null"] is None
  assert found["accuracy_full"]["value"] == float(
    ds["accuracy_full_final"].sel(stat="value")
  )
  assert (found["report_layer"], found["window"]) == (1, 20)
  assert (found["context"], found["nodes"], found["groups"]) == (80, 16, 4)
  assert found["smallest_count"] == int(cell["count"].sum("group").min())
  with pytest.raises(errors.InputError, match="window 33 was not measured"):
    measurements.headline(ds, 1, 33)


def test_headline_cell_gets_more_draws(run):
  ds, raw, _, _ = run
  plain = measurements.derive(raw, resamples=60, permutations=60, seed=3)
  name = "distance_correlation"
  changed = plain[name].sel(stat="null") != ds[name].sel(stat="null")
  assert changed.sel(layer=1).isel(context=-1).all()
  assert changed.sum() == raw.sizes["window"]


def test_same_seed_same_numbers(run):
  ds, raw, _, _ = run
  again = measurements.derive(
    raw,
    report_layer=1,
    resamples=60,
    permutations=60,
    headline_draws=100,
    seed=3,
  )
  assert again.identical(ds)


def test_a_missing_node_blanks_its_cells_and_only_those():
  raw, *_ = planted.observe(planted.grid(), groups=2)
  empty = {"window": 0, "context": 0, "node": 5}
  raw["count"][empty] = 0
  raw["gram"][empty] = 0
  raw["gram"][{"window": 0, "context": 0, "node_": 5}] = 0
  ds = measurements.derive(
    raw, report_layer=1, resamples=20, permutations=40, headline_draws=20
  )
  assert not ds["enough"][empty]
  other = {"window": 1, "context": 1}
  for name in (*geometry.NAMES, "pca_scores", "laplacian_power"):
    assert np.isnan(ds[name].isel(window=0, context=0)).all(), name
  for name in set(geometry.NAMES) - {"pc12_variance"}:
    assert np.isfinite(ds[name].isel(other)).all(), name


def test_rare_nodes_are_flagged_but_measured():
  raw, *_ = planted.observe(planted.grid())
  total = raw["count"].sum("group")
  floor = int(total.min()) + 2
  ds = measurements.derive(raw, count_floor=floor, resamples=0, permutations=0)
  np.testing.assert_array_equal(ds["enough"], total >= floor)
  assert not ds["enough"].all() and ds["enough"].any()
  measured = ds["energy_ratio"].sel(stat="value")
  assert np.isfinite(measured.values[:, (total > 0).all("node").values]).all()


def test_one_group_has_values_and_nulls_but_no_interval():
  raw, *_ = planted.observe(planted.ring(7), groups=1)
  ds = measurements.derive(
    raw, report_layer=1, resamples=20, permutations=20, headline_draws=20
  )
  found = measurements.headline(ds, 1, 60)
  for name in ("energy_centred", "accuracy_full"):
    assert found[name]["value"] is not None
    assert found[name]["low"] is found[name]["high"] is None
  assert found["energy_centred"]["null"] == pytest.approx(14 / 6, rel=0.1)
  # An odd ring has no two sides.
  assert set(found["parity_power"].values()) == {None}


def test_groups_without_walks_do_not_count():
  raw, *_ = planted.observe(planted.ring(6), groups=4, num_walks=8)
  lonely = raw.copy(deep=True)
  keep = [0, 1]
  for name, dims in (("gram", ("group", "group_")), ("count", ("group",))):
    for dim in dims:
      lonely[name][{dim: [2, 3]}] = 0
  few = raw.isel(group=keep, group_=keep)
  options = {"resamples": 50, "permutations": 5, "seed": 1}
  found = measurements.derive(lonely, **options)
  expected = measurements.derive(few, **options)
  for name in geometry.NAMES:
    np.testing.assert_allclose(found[name], expected[name])


def test_pair_mode_leaves_separators_and_second_words_out():
  raw, *_ = planted.observe(planted.ring(6))
  t = np.arange(raw.sizes["time"])
  for name in ("accuracy_full", "node_mass", "null_mass"):
    raw[name] = raw[name].where(xr_like(raw, t % 3 == 0))
  raw["nodes"] = raw["nodes"].where(xr_like(raw, t % 3 != 2), -1)
  ds = measurements.derive(raw, resamples=20, permutations=5)
  scored = t % 3 == 0
  for name in ("bayes", "seen_once", "seen_twice"):
    np.testing.assert_array_equal(np.isfinite(ds[name]), scored)
  value = ds["accuracy_full_mean"].sel(stat="value")
  np.testing.assert_array_equal(np.isfinite(value), scored)
  last = raw["accuracy_full"].values[:, 64:]
  assert ds["accuracy_full_final"].sel(stat="value") == pytest.approx(
    np.nanmean(last)
  )
  # Words, not tokens, count: two of every three tokens.
  expected = 1 - (5 / 6) ** (2 * (t // 3) + np.minimum(t % 3, 1) + 1)
  np.testing.assert_allclose(ds["memorisation_1shot"], expected)


def xr_like(raw, mask):
  return raw["time"].copy(data=mask)


def test_activations_alone_are_enough():
  raw, *_ = planted.observe(planted.grid())
  few = raw[["gram", "count", "adjacency"]]
  ds = measurements.derive(few, resamples=0, permutations=0)
  found = measurements.headline(ds, 1, 60)
  assert found["accuracy_full"]["value"] is None
  assert found["energy_ratio"]["value"] is not None
  assert "bayes" not in ds


@pytest.mark.parametrize(
  ("break_it", "message"),
  [
    (lambda raw: raw.drop_vars("gram"), "no variable 'gram'"),
    (lambda raw: raw.isel(window=0), "has dimensions"),
    (lambda raw: raw.drop_attrs(), "hidden_size"),
    (lambda raw: raw.assign(adjacency=-raw["adjacency"]), "not negative"),
    (lambda raw: raw.assign(adjacency=0 * raw["adjacency"]), "not connected"),
    (lambda raw: raw.assign(nodes=raw["nodes"] + 20), "graph has 0 to 15"),
  ],
)
def test_observations_that_cannot_be_used_are_refused(break_it, message):
  raw, *_ = planted.observe(planted.grid())
  with pytest.raises(errors.InputError, match=message):
    measurements.derive(break_it(raw), resamples=0, permutations=0)


def test_unknown_report_layer_is_refused():
  raw, *_ = planted.observe(planted.grid())
  with pytest.raises(errors.InputError, match="report layer 9"):
    measurements.derive(raw, report_layer=9)


def test_a_cell_takes_milliseconds():
  raw, *_ = planted.observe(planted.grid(), groups=8)
  started = time.process_time()
  measurements.derive(raw, resamples=200, permutations=200)
  # Measured .01 s per cell; a loop over resamples would take seconds.
  assert time.process_time() - started < 8 * 0.15
