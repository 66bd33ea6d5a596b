"""The published walks, by their digests and against the released one."""

import json

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graphs, published_walks, words


def test_the_walks_are_the_published_ones(monkeypatch):
  several, one = published_walks.accuracy_set(), published_walks.single()
  assert several.shape == (16, 1400) and one.shape == (1400,)
  assert published_walks.digest(several) == "cd48744055f37387"
  assert published_walks.digest(one) == "313e1f69e92bee84"
  np.testing.assert_array_equal(several[:, 0], np.arange(16))
  edges = graphs.parse(published_walks.SPEC).adjacency > 0
  for walks in (several, one[None]):
    assert edges[walks[:, :-1], walks[:, 1:]].all()
  monkeypatch.setattr(published_walks, "SEED", 43)
  with pytest.raises(errors.InputError, match="draws other walks"):
    published_walks.single()


def test_the_global_generator_is_left_alone():
  np.random.seed(7)
  expected = np.random.random()
  np.random.seed(7)
  published_walks.accuracy_set()
  assert np.random.random() == expected


def test_the_single_walk_is_the_released_one(shared):
  path = shared / "data" / "llama31-8b-grid" / "sequence.json"
  known = words.concept_words(published_walks.WORDS_LIST, 16)
  released = [known.index(word) for word in json.loads(path.read_text())]
  np.testing.assert_array_equal(published_walks.single(), released)
