"""Class means of phases: by hand, and the whole recipe on random weights."""

import itertools

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import (
  phase_claims,
  phase_pictures,
  phase_reads,
  phases,
)
from icl_graphs.models import decoder
from icl_graphs.theory import coin_mixture
from tests.experiments.paper_two import tiny_coins, tree_observers

CONCEPTS = ("01000", "11010")
FLIPS = 14


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
  return tiny_coins.subject(
    tmp_path_factory.mktemp("coins"), tree=10, resamples=50
  )


def test_class_means_are_those_taken_by_hand(subject):
  rows = phase_reads.rows(subject, CONCEPTS, FLIPS)
  found = phase_reads.read(subject, "phases", rows)
  assert found.gram.shape == (2, 3, FLIPS - 5 + 1, 5, 5)
  ids = subject.tokenizer.convert_ids_to_tokens(rows.tokens[1, 2])
  assert all(ids[place] == "," for place in rows.separators[1, 2])
  words = ["H" if "Heads" in ids[p] else "T" for p in rows.words[1, 2]]
  assert "".join(words) == ("11010"[2:] + "11010" * 3)[:FLIPS].replace(
    "1", "T"
  ).replace("0", "H")
  _, hidden = decoder.Decoder(subject.decoder).apply(
    {"params": jax.device_get(subject.params)}, rows.tokens[1], lambda h: h
  )
  hidden = np.asarray(hidden, np.float64)
  context = 4
  for layer in (1, 2):
    classes, sides = [[] for _ in range(5)], [[], []]
    for start in range(5):
      for flip in range(context, 5 + context):
        place = rows.separators[1, start, flip]
        classes[(start + flip) % 5].append(hidden[layer, start, place])
        word = hidden[layer, start, rows.words[1, start, flip]]
        sides[int("11010"[(start + flip) % 5])].append(word)
    gram, share = _by_hand(classes)
    got = found.gram[1, layer, context]
    np.testing.assert_allclose(got, gram, atol=1e-5 * np.trace(gram))
    between = found.between[1, layer, context] / found.total[1, layer, context]
    assert between == pytest.approx(share, rel=1e-4)
    between = found.side_between[1, layer, context]
    between /= found.side_total[1, layer, context]
    assert between == pytest.approx(_by_hand(sides)[1], rel=1e-4)
    apart = np.mean(sides[0], axis=0) - np.mean(sides[1], axis=0)
    got = found.side_apart[1, layer, context]
    assert got == pytest.approx((apart**2).sum(), rel=1e-4)
    size = (np.concatenate(sides) ** 2).sum(axis=1).mean()
    got = found.side_size[1, layer, context]
    assert got == pytest.approx(size, rel=1e-4)
  # The separator is the same token for all phases.
  assert found.total[1, 0, context] <= 1e-5 * found.size[1, 0, context]


def _by_hand(classes):
  means = np.array([np.mean(one, axis=0) for one in classes])
  every = np.concatenate(classes)
  mean = every.mean(axis=0)
  between = sum(
    len(one) * ((one_mean - mean) ** 2).sum()
    for one, one_mean in zip(classes, means, strict=True)
  ) / len(every)
  total = ((every - mean) ** 2).sum(axis=1).mean()
  centred = means - means.mean(axis=0)
  return centred @ centred.T, between / total


def test_longer_concepts_are_expected_as_trees_are():
  observer = tree_observers.Observer(tree=16)
  names = ("01000", "1010110")
  found, lengths = phases.expected(observer, names)
  assert list(lengths) == list(range(17))
  for curve, name in zip(found, names, strict=True):
    wanted = coin_mixture.concept_probability(name, 16, phases.DEPTH)
    np.testing.assert_allclose(curve, wanted, rtol=1e-9)


def test_too_many_flips_are_refused(subject):
  with pytest.raises(errors.InputError, match="96 positions"):
    phase_reads.rows(subject, CONCEPTS, 40)


def test_random_weights_have_no_ring_of_their_own(
  subject, tmp_path, monkeypatch
):
  monkeypatch.setattr(phase_reads, "CONCEPTS", CONCEPTS)
  monkeypatch.setattr(phase_reads, "FLIPS", FLIPS)
  monkeypatch.setattr(phase_pictures, "DRAWN", "11010")
  monkeypatch.setattr(phases, "DRAWS", 100)
  observer = tree_observers.Observer(tree=16)
  monkeypatch.setattr(subject, "trees", observer.trees)
  monkeypatch.setattr(
    subject, "settings", coin_subject.dataclasses.replace(
      subject.settings, tree=16
    )
  )  # fmt: skip
  found = phases.run(subject, tmp_path)
  assert found.claims[0].verdict != recipe.SHOWN
  assert found.claims[1].verdict == recipe.CANNOT_TELL
  assert all((tmp_path / one.file).stat().st_size for one in found.figures)
  assert found.numbers["n50"]["value"] == pytest.approx(11, abs=1)
  assert len(found.tables[0].rows) == 3
  exact = found.measurements["exact_concept_probability"].sel(concept="01000")
  wanted = coin_mixture.concept_probability("01000", 16, phases.DEPTH)
  np.testing.assert_allclose(exact, wanted)
  scene = found.scene[1]
  assert scene["graph"] == "ring of 11010" and len(scene["edges"]) == 5
  assert np.shape(scene["xy"]) == (2, len(scene["contexts"]), 5, 2)
  own = found.measurements["concept_energy_relative"][1, 1:, ::3]
  np.testing.assert_allclose(scene["energy"], own, atol=1e-3)
  # Orders of five phases have twelve energies; the least is the limit.
  least = _least_energies(found.measurements["concept_gram"][1, 1:, ::3])
  np.testing.assert_allclose(scene["null_energy"], least, atol=1e-3)


def _least_energies(gram):
  gram = gram.values[..., :5, :5].astype(np.float64)
  found = []
  for order in itertools.permutations(range(5)):
    moved = gram[..., order, :][..., order]
    step = moved[..., np.arange(5), (np.arange(5) + 1) % 5].sum(axis=-1)
    size = np.trace(gram, axis1=-2, axis2=-1)
    found.append((size - step) / size * 4 / 5)
  return np.min(found, axis=0)


def test_a_planted_ring_is_shown_at_its_time():
  rng = np.random.default_rng(0)
  concepts, contexts = 8, 20
  sizes = np.full(concepts, 6)
  n50 = np.full(concepts, 12.0) + rng.integers(-1, 2, concepts)
  # Half of the fall when the window's middle is at n50.
  steps = np.arange(contexts) + 6 - 2.5
  fall = 1 / (1 + np.exp(-2 * (steps - n50[:, None])))

  def measured(values):
    noise = 0.01 * rng.normal(size=values.shape)
    return {"energy_beyond": np.repeat((values + noise)[:, None], 3, axis=1)}

  flat = np.ones((concepts, contexts))
  found = phase_claims.Found(
    sizes=sizes,
    layer=2,
    geometry={
      "concept": measured(1 - 0.6 * fall),
      "fair flips": measured(flat),
      "random weights": measured(flat),
    },
    order=1 + 0.05 * rng.normal(size=(999, contexts)),
    recent=np.full(concepts, 0.8),
    n50=n50,
    resamples=200,
    seed=0,
  )
  assert [one.verdict for one in phase_claims.claims(found)] == [
    recipe.SHOWN,
    recipe.SHOWN,
  ]
  late = found._replace(n50=n50 - 8)
  assert phase_claims.claims(late)[1].verdict == recipe.NOT_SHOWN
  none = found._replace(recent=np.full(concepts, 0.2))
  ring, when = phase_claims.claims(none)
  assert ring.verdict == recipe.NOT_SHOWN
  assert when.verdict == recipe.CANNOT_TELL
