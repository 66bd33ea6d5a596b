"""Flips in place of an answer: a distracted model, and one that is not."""

import types

import numpy as np

from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import distraction


class Letters:
  """A vocabulary of single characters."""

  def __len__(self):
    return 128

  def encode(self, text, add_special_tokens):
    assert not add_special_tokens and not text.endswith(" ")
    return [ord(character) for character in text]

  def decode(self, ids):
    return "".join(map(chr, ids))


class Reader:
  """Answers right, unless flips distract it."""

  bos_ids = (1,)

  def __init__(self, *, distracted: bool = True, tokenizer=None, room=1200):
    self.settings = coin_subject.Settings(resamples=100)
    self.tokenizer = tokenizer or Letters()
    self.decoder = types.SimpleNamespace(vocab_size=128, max_positions=room)
    self.distracted = distracted

  @property
  def untrained(self):
    """All tokens are alike, and more of them are flips than one letter."""
    return Reader(distracted=None)

  def read(self, name, groups, sets):
    items = distraction.questions(self)
    flips, *letters, _ = sets
    assert ord(",") in flips and letters == [(ord(one),) for one in "ABCD"]
    found = []
    for item, group in zip(items, groups, strict=True):
      some = [chr(ids[-1]) == "," for ids in group]
      mass = np.full((len(group), 6), 0.02)
      mass[:, 1 + "ABCD".index(item.key)] = 0.5
      if self.distracted:
        mass[np.array(some), 0] = 0.8
      if self.distracted is None:
        mass[:] = [[0.08, *[0.01] * 4, 0.02]]
      found.append(np.log(mass))
    return found


def test_distraction_is_seen(tmp_path):
  found = distraction.run(Reader(), tmp_path)
  (claim,) = found.claims
  assert claim.verdict == recipe.SHOWN
  assert found.numbers["flips less answer, no flips"]["value"] < 0
  assert found.numbers["flips less answer, random weights"]["low"] > 0
  captured = found.numbers["questions that flips capture"]
  assert captured == {"value": 10, "of": 10}
  assert (tmp_path / "questions.png").stat().st_size
  assert {row[2] for row in found.tables[0].rows} == {"1"}
  # What does not fit into the model is not asked.
  assert found.measurements["length"].values[-1] < 1000


def test_answers_are_no_distraction(tmp_path):
  (claim,) = distraction.run(Reader(distracted=False), tmp_path).claims
  assert claim.verdict == recipe.NOT_SHOWN


def test_a_vocabulary_of_coins_cannot_be_asked(tmp_path, monkeypatch):
  monkeypatch.setattr(Letters, "decode", lambda self, ids: "Heads")
  found = distraction.run(Reader(), tmp_path)
  assert found.claims[0].verdict == recipe.CANNOT_TELL
  assert "vocabulary is too small" in found.claims[0].reason


def test_questions_that_do_not_fit_cannot_be_asked(tmp_path):
  found = distraction.run(Reader(room=300), tmp_path)
  assert found.claims[0].verdict == recipe.CANNOT_TELL
  assert "300 positions" in found.claims[0].reason
