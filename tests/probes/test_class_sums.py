"""Windowed class sums against loops over every occurrence."""

import functools

from hypothesis import given, settings
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.probes import class_sums


def brute_force(spec, hidden, nodes, walk_index, valid):
  """Adds every occurrence to every window that holds it, in float64."""
  width = hidden.shape[-1]
  shape = (len(spec.windows), len(spec.context_lengths), spec.num_groups)
  sums = np.zeros((*shape, spec.num_nodes, width))
  counts = np.zeros((*shape, spec.num_nodes))
  for i, window in enumerate(spec.windows):
    for j, context in enumerate(spec.context_lengths):
      for b in np.flatnonzero(valid):
        group = walk_index[b] % spec.num_groups
        # Word t (1-based) stands at position offset + t - 1.
        for t in range(max(1, context - window + 1), context + 1):
          position = spec.offset + t - 1
          node = nodes[b, position]
          if node >= 0:
            sums[i, j, group, node] += hidden[b, position]
            counts[i, j, group, node] += 1
  return sums, counts


# Every example is a program of its own.
@functools.partial(jax.jit, static_argnums=0)
def by_segment(spec, hidden, nodes, walk_index, valid):
  members = class_sums.one_hot_nodes(spec, nodes, jnp.float32)
  groups = class_sums.one_hot_groups(spec, walk_index, valid)
  sums = class_sums.segment_sums(spec, hidden, members, groups)
  return sums, class_sums.segment_counts(spec, members, groups)


def measure(spec, hidden, nodes, walk_index, valid):
  sums, counts = by_segment(spec, hidden, nodes, walk_index, valid)
  return (
    class_sums.windowed(spec, np.asarray(sums), axis=0),
    class_sums.windowed(spec, np.asarray(counts), axis=0),
  )


@settings(deadline=None, max_examples=40)
@given(
  seed=st.integers(0, 2**31),
  contexts=st.sets(st.integers(1, 40), min_size=1, max_size=5),
  windows=st.sets(st.integers(1, 40), min_size=1, max_size=3),
  num_groups=st.integers(1, 4),
  offset=st.integers(0, 2),
)
def test_equal_to_loops(seed, contexts, windows, num_groups, offset):
  longest = max(contexts)
  windows = {min(w, longest) for w in windows}
  spec = class_sums.ClassSums(
    5, num_groups, tuple(sorted(contexts)), tuple(sorted(windows)), offset
  )
  generator = np.random.default_rng(seed)
  batch, time = 6, offset + longest
  hidden = generator.normal(size=(batch, time, 3)).astype(np.float32)
  # BOS is given a node on purpose: it must still never enter a mean.
  nodes = generator.integers(-1, 5, (batch, time)).astype(np.int32)
  walk_index = generator.integers(0, 100, batch).astype(np.int32)
  valid = generator.random(batch) < 0.7
  expected = brute_force(spec, hidden, nodes, walk_index, valid)
  got = measure(spec, hidden, nodes, walk_index, valid)
  np.testing.assert_allclose(got[0], expected[0], atol=1e-4)
  np.testing.assert_array_equal(got[1], expected[1])


def test_segments_are_disjoint_and_cover_each_window_once():
  spec = class_sums.ClassSums(4, 2, (10, 60, 300), (7, 50, 200), 1)
  lengths = np.array([stop - start for start, stop in spec.segments])
  for i, window in enumerate(spec.windows):
    for j, context in enumerate(spec.context_lengths):
      covered = lengths[spec.segments_of_window[i, j]].sum()
      assert covered == min(window, context)


@pytest.mark.parametrize(
  "contexts, windows, message",
  [
    ((10, 20), (30,), "longer than the longest context"),
    ((), (1,), "context_lengths"),
    ((20, 10), (5,), "increasing"),
    ((10,), (0, 5), "positive"),
  ],
)
def test_refuses(contexts, windows, message):
  with pytest.raises(errors.InputError, match=message):
    class_sums.ClassSums(4, 2, contexts, windows, 1)


def test_default_contexts_end_at_the_longest():
  lengths = class_sums.log_spaced_contexts(1400, 12)
  assert lengths[0] == 5 and lengths[-1] == 1400
  assert list(lengths) == sorted(set(lengths))
