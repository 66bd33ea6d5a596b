"""The authors' rule for answer tokens, beside ours."""

import types

import numpy as np
import pytest

from icl_graphs.engine import prefix_plan, shared_prefix
from icl_graphs.experiments import coin_subject
from icl_graphs.experiments.paper_two import first_letter, judged
from icl_graphs.models import hub
from icl_graphs.training import coin_tokenizer
from tests.experiments.paper_two import observers


def test_letters_of_the_likeliest_tokens_by_hand(tmp_path):
  coin_tokenizer.save(tmp_path, 96)
  tokenizer = hub.load_tokenizer(tmp_path)
  contexts = [[1, 2, 3], [1], [1, 2]]
  plan = prefix_plan.plan([contexts])
  probabilities = np.random.default_rng(0).dirichlet(np.ones(178), (1, 3))
  asked = {}

  def read(name, groups, step, **bound):
    """What `shared_prefix.most_likely` finds, likeliest first."""
    assert step is shared_prefix.most_likely
    asked.update(bound)
    order = np.argsort(-probabilities)[..., : bound["count"]]
    log_probs = np.log(np.take_along_axis(probabilities, order, -1))
    return plan, (order, log_probs)

  subject = types.SimpleNamespace(
    decoder=types.SimpleNamespace(vocab_size=178),
    tokenizer=tokenizer,
    _read=read,
  )
  counts = (3, 40, 1000)
  (found,) = coin_subject.CoinSubject.by_letter(
    subject, "letters", [contexts], ("h", "t"), counts
  )
  assert found.shape == (3, 3, 2) and asked["count"] == 178
  texts = tokenizer.convert_ids_to_tokens(range(178))
  letters = [text.strip().lower()[:1] for text in texts]
  for place, masses in zip(plan.index[0], found, strict=True):
    order = np.argsort(-probabilities[0, place]).tolist()
    for count, mass in zip(counts, masses, strict=True):
      wanted = [
        sum(
          probabilities[0, place, token]
          for token in order[:count]
          if letters[token] == letter
        )
        for letter in "ht"
      ]
      np.testing.assert_allclose(mass, wanted, atol=1e-12)


def test_few_tokens_hear_less():
  judge = observers.Judge(judged=30, tree=4)
  seen = judged.read(judge)
  numbers, table = first_letter.judgments(judge, seen)
  assert [len(row) for row in table.rows] == [len(table.header)] * 4
  assert numbers["first letter, top 100"]["largest"] <= 0.01
  one = numbers["first letter, top 5"]
  # What has less than 0.2 is nothing to the observer.
  assert 0.15 < one["largest"] <= 0.2 and one["of"] == 27
  assert one["reads_without_an_answer"] == 0
  unheard = observers.Judge(judged=30, tree=4, mass=0.01)
  numbers, table = first_letter.judgments(unheard, judged.read(unheard))
  assert numbers["first letter, top 5"]["reads_without_an_answer"] == 1
  assert np.isnan(numbers["first letter, top 5"]["value"])
  assert table.rows[1][1] == "-" and table.rows[1][3] == "never"


def test_share_of_nothing_is_unknown():
  found = first_letter.share(np.array([[0.0, 0.0], [0.1, 0.3]]))
  assert np.isnan(found[0]) and found[1] == pytest.approx(0.75)
