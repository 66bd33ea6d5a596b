"""Bad input of the coin experiments: one clear error before any weight."""

import pytest

from icl_graphs import errors
from icl_graphs.experiments import coin_checks, coin_subject


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"form": "spoken"}, "--form=spoken is not one of raw, chat, tulu"),
    ({"sequences": 0}, "--sequences=0 is below 1"),
    ({"batch_size": 0}, "--batch_size=0 is below 1"),
    ({"seed": -1}, "--seed=-1 is not one of 0 to 4294967295"),
    ({"percents": ()}, "--percents is empty"),
    ({"percents": (50, 101)}, "101 is no whole percentage"),
    ({"percents": (50, 20, 50)}, "--percents=50,20,50 has one of them twice"),
    ({"questions": "missing.csv"}, "missing.csv cannot be read"),
  ],
)
def test_settings_are_refused_by_name(changes, words):
  # A model that does not exist: nothing of it is looked at.
  asked = coin_subject.Settings(model="/missing", **changes)
  with pytest.raises(errors.InputError, match=words):
    coin_subject.CoinSubject(asked, "unused")


def test_questions_of_another_form_are_refused(tmp_path):
  file = tmp_path / "philosophy_test.csv"
  for text in ("", "question;a;b\n", "What?,1,2,3,4,E\n"):
    file.write_text(text)
    with pytest.raises(errors.InputError, match="philosophy_test.csv"):
      coin_checks.settings(coin_subject.Settings(questions=str(file)))


def test_a_model_that_cannot_be_asked_says_why():
  asked = coin_subject.Settings(model="bundled:walks")
  with pytest.raises(
    errors.InputError,
    match="bundled:walks cannot be asked about coin flips: no token begins",
  ):
    coin_subject.CoinSubject(asked, "unused")
  with pytest.raises(errors.InputError, match="40 of the 40 positions"):
    coin_checks.prompts_fit(40, 40)
