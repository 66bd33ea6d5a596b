import json
import pathlib

import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import geometry, gram, measurements, recordings
from tests import programs

NAMES = tuple("abcdefghijklmnop")


@pytest.fixture
def recording():
  rng = np.random.default_rng(0)
  nodes = planted.walks(planted.grid(), 1, 120, 1)[0]
  means = rng.normal(size=(16, 5))
  return means[nodes] + rng.normal(size=(120, 5)), nodes


def save(folder, **arrays):
  path = folder / "given.npz"
  np.savez(path, **arrays)
  return str(path)


def read(path, nodes=None, words=None, **options):
  return recordings.read(path, nodes, words, NAMES, **options)


def test_every_way_to_give_nodes_is_the_same(tmp_path, recording):
  values, nodes = recording
  words = [NAMES[node] for node in nodes]
  alone = save(tmp_path, activations=values)
  files = {
    "ids.npy": lambda path: np.save(path, nodes),
    "words.npy": lambda path: np.save(path, np.array(words)),
    "ids.npz": lambda path: np.savez(path, nodes=nodes),
    "ids.json": lambda path: path.write_text(json.dumps(nodes.tolist())),
    "words.json": lambda path: path.write_text(json.dumps(words)),
    "words.txt": lambda path: path.write_text(" ".join(words)),
    "ids.txt": lambda path: path.write_text("\n".join(map(str, nodes))),
  }
  expected, count = gram.class_sums(values, nodes, 16, 8)
  for name, write in files.items():
    write(tmp_path / name)
    found = read(alone, str(tmp_path / name))
    np.testing.assert_array_equal(found.sums, expected, err_msg=name)
    np.testing.assert_array_equal(found.count, count)
  for inside in ({"nodes": nodes}, {"words": np.array(words)}):
    found = read(save(tmp_path, activations=values, **inside))
    np.testing.assert_array_equal(found.sums, expected)


def test_words_map_to_nodes_in_the_order_given(tmp_path, recording):
  values, nodes = recording
  order = tuple(reversed(NAMES))
  path = save(
    tmp_path, activations=values, words=np.array([order[i] for i in nodes])
  )
  found = read(path, words=order, groups=1)
  assert found.node_words == order
  np.testing.assert_array_equal(
    found.count[0], np.bincount(nodes, minlength=16)
  )
  stored = save(
    tmp_path,
    activations=values,
    words=np.array([order[i] for i in nodes]),
    node_words=np.array(order),
  )
  np.testing.assert_array_equal(read(stored, groups=1).sums, found.sums)


def test_last_takes_the_end_of_both(tmp_path, recording):
  values, nodes = recording
  np.save(tmp_path / "nodes.npy", nodes)
  path = save(tmp_path, activations=values[-50:])
  found = read(path, str(tmp_path / "nodes.npy"), last=40, groups=1)
  expected, _ = gram.class_sums(values[-40:], nodes[-40:], 16)
  np.testing.assert_array_equal(found.sums, expected)
  assert (found.window, found.context) == (40, 120)


def test_class_means_alone_and_with_counts(tmp_path):
  means = np.random.default_rng(1).normal(size=(16, 5))
  count = np.arange(1, 17)
  frame = geometry.frame(planted.grid())
  expected = geometry.measure(gram.from_rows(means), frame, 5)
  for given, smallest in (({}, None), ({"counts": count}, 1)):
    found = read(save(tmp_path, class_means=means, **given))
    raw = recordings.to_raw(
      found,
      graph="grid:4x4",
      adjacency=planted.grid(),
      positions=np.zeros((16, 2)),
      directed=False,
      layer=7,
    )
    ds = measurements.derive(raw, report_layer=7, permutations=50)
    summary = measurements.headline(ds, 7, found.window)
    assert summary["smallest_count"] == smallest
    for name, value in expected.items():
      assert summary[name]["value"] == pytest.approx(float(value)), name
      assert summary[name]["low"] is None


@pytest.mark.parametrize(
  ("arrays", "options", "message"),
  [
    ({"class_means": np.zeros((15, 5))}, {}, "15 rows but the graph has 16"),
    ({"class_means": np.zeros(16)}, {}, "two dimensions"),
    ({"class_means": np.full((16, 2), np.nan)}, {}, "not finite in rows"),
    ({"class_means": np.full((16, 2), "x")}, {}, "real numbers"),
    ({"class_means": np.zeros((16, 2))}, {"last": 5}, "nothing to select"),
    (
      {"class_means": np.ones((16, 2)), "counts": np.ones(3)},
      {},
      "counts has shape",
    ),
    ({"activations": np.zeros((20, 5))}, {}, "not their nodes"),
    ({"other": np.zeros((20, 5))}, {}, r"holds \['other'\]"),
    (
      {"activations": np.zeros((20, 5)), "nodes": np.zeros(21, int)},
      {},
      "20 activations but 21 nodes",
    ),
    (
      {"activations": np.zeros((20, 5)), "nodes": np.zeros(20, int)},
      {"last": 21},
      "--last=21 but there are 20 activations",
    ),
    (
      {"activations": np.full((20, 5), np.inf), "nodes": np.zeros(20, int)},
      {},
      "not finite at 20 positions",
    ),
    (
      {"activations": np.zeros((20, 5)), "nodes": np.full(20, 16)},
      {},
      "nodes 0 to 15",
    ),
    (
      {"activations": np.zeros((20, 5)), "nodes": np.zeros(20)},
      {},
      "one integer id or one word",
    ),
    (
      {"activations": np.zeros((20, 5)), "words": np.full(20, "zebra")},
      {},
      "1 words are not nodes: zebra",
    ),
    (
      {"class_means": np.zeros((16, 2))},
      {"words": NAMES[:4]},
      "4 node words but the graph has 16",
    ),
    (
      {"class_means": np.zeros((16, 2))},
      {"words": NAMES[:15] + ("a",)},
      r"not distinct: \['a'\]",
    ),
  ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, options, message):
  with pytest.raises(errors.InputError, match=message):
    read(save(tmp_path, **arrays), **options)


def test_pickled_objects_are_refused(tmp_path):
  path = tmp_path / "objects.npz"
  np.savez(path, class_means=np.array([{"no": 1}], dtype=object))
  with pytest.raises(errors.InputError, match="pickle"):
    read(str(path))


def test_damaged_and_missing_files_are_refused(tmp_path):
  with pytest.raises(errors.InputError, match="there is no file"):
    read(str(tmp_path / "absent.npz"))
  whole = pathlib.Path(save(tmp_path, class_means=np.zeros((16, 5))))
  whole.write_bytes(whole.read_bytes()[:150])
  with pytest.raises(errors.InputError, match="cannot read"):
    read(str(whole))
  np.save(tmp_path / "single.npy", np.zeros((16, 5)))
  with pytest.raises(errors.InputError, match="single array"):
    read(str(tmp_path / "single.npy"))
  good = save(tmp_path, activations=np.zeros((20, 5)))
  with pytest.raises(errors.InputError, match="there is no file"):
    read(good, str(tmp_path / "absent.json"))
  (tmp_path / "broken.json").write_text("[1, 2")
  with pytest.raises(errors.InputError, match="cannot read"):
    read(good, str(tmp_path / "broken.json"))
  (tmp_path / "nested.json").write_text("[[1], [2]]")
  with pytest.raises(errors.InputError, match="flat list"):
    read(good, str(tmp_path / "nested.json"))


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--activations=absent.npz", "--graph=grid:4x4"], "no file absent.npz"),
    (["--activations=absent.npz", "--graph=moebius:4"], "moebius"),
    (["--activations=absent.npz"], "graph"),
    (["--activations=a.npz", "--graph=grid:4x4", "--lats=3"], "lats"),
    (["--activations=a.npz", "--graph=grid:4x4", "extra"], "extra"),
  ],
)
def test_program_says_what_is_wrong_and_exits_with_2(tmp_path, flags, message):
  done = programs.again("launch.analyze", f"--out={tmp_path}/o", *flags)
  assert done.returncode == 2, done.stderr
  assert message in done.stderr and "Traceback" not in done.stderr


def test_program_refuses_an_output_it_cannot_write(tmp_path):
  (tmp_path / "file").write_text("")
  flags = "--activations=absent.npz", "--graph=grid:4x4"
  done = programs.again("launch.analyze", f"--out={tmp_path}/file/o", *flags)
  assert done.returncode == 2
  assert "cannot write to" in done.stderr
