"""Contexts read from one trunk: against each of them read alone."""

import dataclasses
import functools
import itertools

import jax
import numpy as np
import pytest
from scipy import special

from icl_graphs import errors
from icl_graphs.engine import (
  parallel,
  prefix_plan,
  rows,
  shared_prefix,
  token_tree,
)
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import masses, readout
from tests.models import switches

SETS = ((3, 5), (11,), (0, 36, 20))
HEAD, TAIL = [7, 8, 9, 10, 7], [30, 31, 32]
# A flip of one or two tokens, with its comma.
FLIPS = ([1, 4], [2, 3, 4])


def _words(flips):
  return [token for flip in flips for token in FLIPS[flip]]


def _judgment(flips):
  """The prompt after every number of flips."""
  return [
    HEAD + _words(flips[:n])[:-1] + TAIL for n in range(1, len(flips) + 1)
  ]


def _tree(flips, depth):
  return [
    HEAD + _words([*flips[:n], *more])
    for n in range(1, len(flips) + 1)
    for length in range(depth)
    for more in itertools.product((0, 1), repeat=length)
  ]


def _params(config, dtype):
  return jax.tree.map(lambda leaf: leaf.astype(dtype), switches.params(config))


def _alone(config, contexts, dtype="float32"):
  """Log-probabilities of `SETS` after each context, read alone."""
  wanted = []
  longest = max(map(len, contexts))

  @jax.jit
  def logits(params, tokens):
    final, _ = decoder.Decoder(config).apply({"params": params}, tokens)
    return decoder.logits(params, config, final)

  # Causal: padding at the end changes nothing before it.
  padded = np.array([c + [0] * (longest - len(c)) for c in contexts], np.int32)
  found = logits(_params(config, dtype), padded)
  for row, context in zip(found, contexts, strict=True):
    log_prob = special.log_softmax(np.float64(row[len(context) - 1]))
    wanted.append([special.logsumexp(log_prob[list(one)]) for one in SETS])
  return np.array(wanted)


def _shared(config, groups, dtype="float32"):
  planned = prefix_plan.plan(groups, passes=2)
  shared_prefix.check(config, planned)
  step = functools.partial(
    shared_prefix.log_masses, config=config, passes=planned.passes, sets=SETS
  )
  valid = np.ones(len(groups), bool)
  _, found = jax.jit(step)(_params(config, dtype), (), planned.rows, valid)
  return planned.pick(np.asarray(found))


@pytest.mark.parametrize("name", ["llama", "gemma2", "neox"])
def test_contexts_of_a_trunk_are_those_read_alone(name):
  """Windows are shorter than the trunk and end inside branches."""
  config = switches.VARIANTS[name]
  groups = [
    _judgment([0, 1, 1, 0, 1, 0, 0, 0]),
    _tree([0, 1, 0], 4),
    [HEAD + [5], [2], [2], [9, 9, 1]],
  ]
  ours = np.concatenate(_shared(config, groups))
  wanted = _alone(config, sum(groups, []))
  np.testing.assert_allclose(ours, wanted, atol=1e-4)


def test_half_precision_is_that_of_contexts_read_alone():
  config = dataclasses.replace(switches.BASE, initializer_range=0.15)
  groups = [_judgment([0, 1, 1, 0, 1, 0, 0, 0])]
  ours = _shared(config, groups, "bfloat16")[0]
  wanted = _alone(config, groups[0], "bfloat16")
  np.testing.assert_allclose(ours, wanted, atol=2e-2)


def test_every_token_of_the_tree_is_read_once():
  """Section 2.3: 1,311 distinct strings of 2,520 for each concept."""
  flips = ([1, 4], [2, 4])
  concept = [0, 1, 1]
  sequence = [concept[i % 3] for i in range(40)]
  contexts = [
    HEAD + [t for flip in [*sequence[:n], *more] for t in flips[flip]]
    for n in range(1, 41)
    for length in range(6)
    for more in itertools.product((0, 1), repeat=length)
  ]
  planned = prefix_plan.plan([contexts])
  assert len(contexts) == 2520
  assert len(set(planned.index[0])) == 1311
  assert planned.tokens == len(HEAD) + 2 * 1311
  # Nothing but the ends of rows is padding.
  assert planned.words < 1.1 * planned.tokens
  assert planned.separate == sum(map(len, set(map(tuple, contexts))))


def test_every_context_can_be_read_off_the_plan():
  """What the last token of a context sees, in order, is the context."""
  rng = np.random.default_rng(0)
  for _ in range(30):
    groups = [
      [
        rng.integers(0, 3, rng.integers(1, 12)).tolist()
        for _ in range(rng.integers(1, 40))
      ]
      for _ in range(3)
    ]
    planned = prefix_plan.plan(groups, passes=int(rng.integers(1, 6)))
    trunks = planned.rows.trunk.shape[1]
    width = planned.rows.tokens.shape[2]
    covered = [set(range(one.first, one.stop)) for one in planned.passes]
    assert set().union(*covered) == set(range(planned.rows.tokens.shape[1]))
    for g, contexts in enumerate(groups):
      row = jax.tree.map(lambda leaf, g=g: leaf[g], planned.rows)
      for context, place in zip(contexts, planned.index[g], strict=True):
        read = row.reads[place]
        if read < trunks:
          assert row.trunk[: read + 1].tolist() == context
          continue
        m, t = divmod(read - trunks, width)
        depth = row.places.depth[m, t]
        leads = np.flatnonzero(row.places.leads[m, t])
        seen = [*row.trunk[:depth], *row.tokens[m, leads]]
        assert [int(token) for token in seen] == context
        positions = row.places.position[m, leads].tolist()
        assert positions == list(range(depth, len(context)))
        (own,) = (p for p in planned.passes if p.first <= m < p.stop)
        assert depth <= own.slots


def test_a_merged_separator_shortens_what_is_shared():
  """A tokenizer that writes a comma and a bracket as one token."""
  contexts = [[5, 1, 4, 1, 9], [5, 1, 9], [5, 1, 4, 1, 4, 1, 9]]
  tree = token_tree.build(contexts)
  path, blocks = token_tree.split(tree)
  assert tree.tokens[path].tolist() == [5, 1, 4, 1, 4, 1, 9]
  assert [tree.tokens[slice(*block)].tolist() for block in blocks] == [
    [9],
    [9],
  ]


def test_blocks_fill_rows_and_shallow_rows_come_first():
  contexts = [[1], [1, 1], [1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]
  contexts += [[1, 1, 1, 2, 2], [1, 1, 3], [1, 4], [5, 5]]
  tree = token_tree.build(contexts)
  path, blocks = token_tree.split(tree)
  assert tree.tokens[path].tolist() == [1] * 6
  lines = token_tree.pack(tree, blocks, 2)
  found = [[tree.tokens[slice(*block)].tolist() for block in x] for x in lines]
  assert found == [[[5, 5]], [[4], [3]], [[2, 2]]]


def test_rows_run_on_all_devices_whoever_their_neighbours_are():
  config = switches.BASE
  groups = [_judgment([0, 1, n % 2, 0]) for n in range(5)]
  planned = prefix_plan.plan(groups, passes=1)
  spread = parallel.spread()
  step = functools.partial(
    shared_prefix.log_masses, config=config, passes=planned.passes, sets=SETS
  )
  _, found = rows.evaluate(
    step,
    spread.put(switches.params(config)),
    planned.rows,
    words=planned.words,
    spread=spread,
    label="judgments",
    batch_size=1,
  )
  for ours, wanted in zip(
    planned.pick(found), _shared(config, groups), strict=True
  ):
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_what_cannot_be_read_is_named():
  for groups in ([], [[]], [[[1], []]]):
    with pytest.raises(errors.InputError, match="every group needs"):
      prefix_plan.plan(groups)
  planned = prefix_plan.plan([[[1] * 65, [1] * 64 + [2]]])
  with pytest.raises(errors.InputError, match="context of 65 tokens exceeds"):
    shared_prefix.check(switches.BASE, planned)
  rope = config_lib.Rope(
    "longrope",
    original_positions=32,
    short_factors=(1.0,) * 4,
    long_factors=(2.0,) * 4,
  )
  config = dataclasses.replace(switches.BASE, rope=rope, max_positions=99)
  with pytest.raises(errors.InputError, match="more than 32 tokens"):
    shared_prefix.check(config, planned)


def test_likeliest_tokens_are_those_of_the_whole_vocabulary():
  rng = np.random.default_rng(0)
  final = rng.normal(size=(2, 5, 8)).astype(np.float32)
  unembedding = rng.normal(size=(37, 8)).astype(np.float32)
  tokens, log_probs = jax.jit(
    readout.most_likely, static_argnums=2, static_argnames="chunk"
  )(final, unembedding, 6, chunk=3)
  wanted = special.log_softmax(np.float64(final @ unembedding.T), axis=-1)
  np.testing.assert_array_equal(tokens, np.argsort(-wanted)[..., :6])
  np.testing.assert_allclose(log_probs, -np.sort(-wanted)[..., :6], atol=1e-5)
  planned = prefix_plan.plan([_judgment([0, 1, 1])])
  step = functools.partial(
    shared_prefix.most_likely,
    config=switches.BASE,
    count=6,
    passes=planned.passes,
  )
  _, found = jax.eval_shape(
    step, switches.params(switches.BASE), (), planned.rows, np.ones(1, bool)
  )
  assert [leaf.shape for leaf in found] == [(1, 3, 6)] * 2


@pytest.mark.parametrize(
  ("sets", "words"),
  [
    ((), "at least one token"),
    (((1,), ()), "at least one token"),
    (((1, 2), (2, 3)), r"\[2\] are in two sets"),
    (((1,), (37,)), r"\[37\] are not in the vocabulary"),
  ],
)
def test_sets_that_cannot_be_read_are_named(sets, words):
  with pytest.raises(errors.InputError, match=words):
    masses.check(sets, 37)


def test_masses_of_logits_are_those_of_hidden_states():
  logits = np.random.default_rng(0).normal(size=(4, 37)).astype(np.float32)
  masses.check(SETS, 37)
  wanted = special.log_softmax(np.float64(logits), axis=-1)
  wanted = [special.logsumexp(wanted[:, list(s)], axis=-1) for s in SETS]
  np.testing.assert_allclose(
    jax.jit(masses.from_logits, static_argnums=1)(logits, SETS),
    np.stack(wanted, axis=-1),
    atol=1e-5,
  )
