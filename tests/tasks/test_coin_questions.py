import collections

import pytest
import transformers

from icl_graphs import errors
from icl_graphs.tasks import coin_questions, coins
from icl_graphs.training import coin_tokenizer

ITEM = coin_questions.Item(
  "high_school_biology", "What is it?", ("one", "two", "three", "four"), "C"
)


def test_the_prompt_is_word_for_word():
  assert coin_questions.prompt(ITEM, coins.repeated("01", 3)) == (
    "The following are multiple choice questions (with answers) about  high"
    " school biology.\n\nWhat is it?\nA. one\nB. two\nC. three\nD. four\n"
    "Answer: Heads, Tails, Heads,"
  )


def test_lengths_are_those_of_the_original():
  assert len(coin_questions.LENGTHS) == 109
  assert coin_questions.LENGTHS[98:101] == (99, 100, 200)
  assert coin_questions.LENGTHS[-1] == 1000


def test_the_packaged_questions():
  items = coin_questions.packaged()
  subjects = collections.Counter(item.subject for item in items)
  assert set(subjects.values()) == {2} and len(subjects) == 5
  assert len({item.question for item in items}) == 10
  keys = collections.Counter(item.key for item in items)
  assert set(keys) == set(coin_questions.LETTERS)
  assert all(len(set(item.choices)) == 4 for item in items)


def test_a_file_of_the_user(tmp_path):
  file = tmp_path / "college_physics_test.csv"
  file.write_text('"Why, so?",1,2,3,4,B\nx,1,2,3,4,A\ny,1,2,3,4,D\n')
  first, second = coin_questions.read(file)
  assert first == ("college_physics", "Why, so?", ("1", "2", "3", "4"), "B")
  assert second.question == "x"
  (tmp_path / "philosophy_test.csv").write_text("z,1,2,3,4,C\n")
  subjects = [item.subject for item in coin_questions.read(tmp_path)]
  assert subjects == ["college_physics", "college_physics", "philosophy"]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "has no question"),
    ("question,a,b,c,d,answer\n", "question 1 .* without a header"),
    ("x,1,2,3,A\n", "expected question"),
    (None, "cannot be read"),
  ],
)
def test_bad_files_are_refused(tmp_path, text, message):
  file = tmp_path / "x.csv"
  if text is not None:
    file.write_text(text)
  with pytest.raises(errors.InputError, match=message):
    coin_questions.read(file)
  with pytest.raises(errors.InputError, match="no CSV file"):
    empty = tmp_path / "empty"
    empty.mkdir(exist_ok=True)
    coin_questions.read(empty)


def test_classes_of_a_real_tokenizer(shared):
  folder = shared / "data" / "tokenizers" / "gpt2"
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  found = coin_questions.classes(tokenizer, 12_000)
  texts = {
    name: {tokenizer.decode([id_]) for id_ in ids}
    for name, ids in found.items()
  }
  assert {"h", " heads", " T", "ails", ","} <= texts["Flips"]
  assert texts["B"] == {"B", " B"}
  assert {"\n", "\n\n"} <= texts["Answer"]
  every = [id_ for ids in found.values() for id_ in ids]
  assert len(every) == len(set(every))


def test_a_small_vocabulary_is_refused():
  tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=coin_tokenizer.build()
  )
  with pytest.raises(errors.InputError, match="B, C, D"):
    coin_questions.classes(tokenizer, 178)
