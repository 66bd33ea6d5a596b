"""Prompts: ids, labels and the literal text, under five real tokenizers."""

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graphs, prompts, walks, words


def _toy(mode, separator_id=None, bos_ids=(1,)):
  return prompts.Layout(
    bos_ids=bos_ids,
    node_token_ids=(10, 11, 12),
    words=("a", "b", "c"),
    mode=mode,
    separator_id=separator_id,
    separator=None if separator_id is None else "/",
  )


def test_walks():
  batch = prompts.assemble(_toy("walk"), np.array([[0, 2, 1], [1, 2, 0]]))
  np.testing.assert_array_equal(
    batch.tokens, [[1, 10, 12, 11], [1, 11, 12, 10]]
  )
  np.testing.assert_array_equal(batch.nodes, [[-1, 0, 2, 1], [-1, 1, 2, 0]])
  np.testing.assert_array_equal(batch.scored, [[False, True, True, True]] * 2)
  assert batch.tokens.dtype == batch.nodes.dtype == np.int32


def test_pairs_with_separator():
  nodes = np.array([[[0, 2], [1, 0]]])
  batch = prompts.assemble(_toy("pairs", 7), nodes)
  np.testing.assert_array_equal(batch.tokens, [[1, 10, 12, 7, 11, 10, 7]])
  np.testing.assert_array_equal(batch.nodes, [[-1, 0, 2, -1, 1, 0, -1]])
  # Pair q has w1 at 3q - 2, counted from BOS at 0.
  np.testing.assert_array_equal(np.flatnonzero(batch.scored[0]), [1, 4])


def test_pairs_without_separator_and_several_bos():
  nodes = np.array([[[0, 2], [1, 0]]])
  batch = prompts.assemble(_toy("pairs", bos_ids=(1, 5)), nodes)
  np.testing.assert_array_equal(batch.tokens, [[1, 5, 10, 12, 11, 10]])
  np.testing.assert_array_equal(np.flatnonzero(batch.scored[0]), [2, 4])


def test_no_bos_and_under_jit():
  made = _toy("walk", bos_ids=())
  assert made.offset == 0
  batch = jax.jit(prompts.assemble, static_argnums=0)(made, np.array([[2, 0]]))
  np.testing.assert_array_equal(batch.tokens, [[12, 10]])
  np.testing.assert_array_equal(batch.nodes, [[2, 0]])


def test_text():
  assert prompts.text(_toy("walk"), np.array([0, 2, 1])) == " a c b"
  pairs = np.array([[0, 2], [1, 0]])
  assert prompts.text(_toy("pairs", 7), pairs) == " a c/ b a/"
  assert prompts.text(_toy("pairs"), pairs) == " a c b a"
  for made in (_toy("pairs", 7), _toy("pairs")):
    row = np.asarray(prompts.assemble(made, pairs[None]).nodes)[0]
    assert prompts.text(made, row) == prompts.text(made, pairs)


def test_literal_text_gives_the_assembled_ids(tokenizer):
  table = walks.transition_table(graphs.parse("grid:4x4"))
  concepts = words.concept_words("paper30-mango", 16)
  nodes = np.asarray(walks.sample_walks(table, 0, np.arange(2), length=300))
  pairs = np.asarray(walks.sample_pairs(table, 0, np.arange(2), pairs=100))
  for mode, separator, given, size in (
    ("walk", "/", nodes, 300),
    ("pairs", "/", pairs, 300),
    ("pairs", None, pairs, 200),
  ):
    made = prompts.layout(
      tokenizer, concepts, bos_ids=[1], mode=mode, separator=separator
    )
    assert (made.separator_id is None) == ((mode, separator) != ("pairs", "/"))
    batch = jax.jit(prompts.assemble, static_argnums=0)(made, given)
    assert batch.tokens.shape == (2, made.offset + size)
    for row, tokens in zip(given, np.asarray(batch.tokens), strict=True):
      prompts.check_literal(made, tokenizer, row)
      literal = prompts.text(made, row)
      found = tokenizer.encode(literal, add_special_tokens=False)
      assert found == tokens[1:].tolist()


def test_literal_check_finds_a_wrong_id(tokenizer):
  made = prompts.layout(
    tokenizer, words.concept_words("paper30", 4), bos_ids=[]
  )
  ids = (*made.node_token_ids[:2], 5, *made.node_token_ids[3:])
  wrong = prompts.Layout((), ids, made.words)
  with pytest.raises(errors.InputError, match="around token 1"):
    prompts.check_literal(wrong, tokenizer, np.array([0, 2, 1]))


@pytest.mark.parametrize("separator", ["/@#", "s", "  ->", "<never>"])
def test_bad_separators(tokenizer, separator):
  with pytest.raises(errors.InputError, match="separator"):
    prompts.layout(
      tokenizer,
      words.concept_words("paper30", 4),
      bos_ids=[],
      mode="pairs",
      separator=separator,
    )


def test_bad_layouts(tokenizer):
  with pytest.raises(errors.InputError, match="'story'.*walk, pairs"):
    prompts.layout(tokenizer, ["apple", "bird"], bos_ids=[], mode="story")
  with pytest.raises(errors.InputError, match="not one token"):
    prompts.layout(tokenizer, ["apple", "xylocarp"], bos_ids=[])
  with pytest.raises(ValueError, match="shape"):
    prompts.assemble(_toy("pairs"), np.array([[0, 1]]))
