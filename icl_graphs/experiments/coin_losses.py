"""Losses of a coin model above the least possible ones.

The excess is the divergence of the model's next-flip probabilities from the
exact ones, on documents drawn from the training mixture: what the loss exceeds
the floor by, without the noise of the flips themselves.
"""

import functools
from typing import Any

import jax
from jax import numpy as jnp
import numpy as np
from scipy import special

from icl_graphs.experiments import coin_bands, coin_subject
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture as exact
from icl_graphs.training import (
  coin_mixture,
  coin_processes,
  coin_tokenizer,
  forward,
)

_TOGETHER = 16
_FLIP, _LABEL = 0.002, 0.01
# Sequences per word length for the least losses: exact to .0005.
_DRAWN = 300
_KINDS = ("stated", "window", "mixed")


def rows(
  subject: coin_subject.CoinSubject, documents: int, seed: int
) -> dict[str, Any]:
  """Excess losses, as rows of `coin_bands`.

  Args:
    subject: the model.
    documents: of each kind.
    seed: of the documents.
  """
  floors = exact.floors(count=_DRAWN, seed=seed)
  least = {
    "stated": floors.stated,
    "window": floors.window.mean(),
    "mixed": floors.mixed.mean(),
  }
  found, mass = _flips(subject, documents, seed)
  table = {}
  for kind in _KINDS:
    floor, excess = least[kind], found[kind]
    table[f"loss, {kind}: nats per flip"] = coin_bands.row(
      floor, None, floor + _FLIP, floor + excess.mean()
    ) | {"error": float(excess.std(ddof=1) / np.sqrt(len(excess)))}
    table[f"mass: loss {kind}"] = coin_bands.row(1.0, 0.99, 1.0, mass[kind])
  excess = _labels(subject, documents, seed)
  floor = floors.label.mean()
  table["loss, label: nats"] = coin_bands.row(
    floor, None, floor + _LABEL, floor + excess.mean()
  ) | {"error": float(excess.std(ddof=1) / np.sqrt(len(excess)))}
  return table


@functools.cache
def _reader(config):
  known = coin_tokenizer.ids()

  @jax.jit
  def read(params, key):
    documents, _ = coin_mixture.sample(key, _STAGE)
    logits = forward.logits(params, config, documents.tokens)
    logs = jax.nn.log_softmax(logits, axis=-1)
    logs = logs.reshape(*documents.weights.shape, -1)
    ids = [known[" Heads"], known[" Tails"], known["Heads"], known["Tails"]]
    picked = logs[..., jnp.array([*ids, known[","]])]
    return documents.tokens, documents.following, picked

  return read


_process = jax.jit(coin_processes.process, static_argnums=(1, 2))
_STAGE = coin_mixture.Stage(
  1, stated=_TOGETHER, window=_TOGETHER, mixed=_TOGETHER, judgments=1
)


def _flips(subject, documents, seed):
  """Mean excess per flip of each document, and mass, by kind."""
  read = _reader(subject.decoder)
  found = {kind: [] for kind in _KINDS}
  mass = {kind: [] for kind in _KINDS}
  params = jax.device_put(subject.params, jax.devices()[0])
  key = jax.random.fold_in(jax.random.key(seed), 2**20)
  known = coin_tokenizer.ids()
  for batch in range(-(-documents // _TOGETHER)):
    tokens, following, logs = (
      np.asarray(leaf) for leaf in read(params, jax.random.fold_in(key, batch))
    )
    for number, kind in enumerate(_KINDS):
      part = slice(number * _TOGETHER, (number + 1) * _TOGETHER)
      start = _prompt_length(kind)
      places = start - 1 + 2 * np.arange(_STAGE.flips)
      words = following[part][:, places]
      flips = np.isin(words, [known["Tails"], known[" Tails"]]).astype(int)
      sides = logs[part][:, places].astype(np.float64)
      sides, bare = sides[..., :2], sides[..., 2:4]
      if kind == "mixed":
        sides[:, 0] = bare[:, 0]
      tails = _exact_tails(kind, tokens[part], flips)
      found[kind].append(_divergence(tails, sides).mean(axis=1))
      mass[kind].append(np.exp(special.logsumexp(sides, axis=-1)).mean())
  found = {
    kind: np.concatenate(parts)[:documents] for kind, parts in found.items()
  }
  return found, {kind: np.mean(parts) for kind, parts in mass.items()}


def _prompt_length(kind: str) -> int:
  prompt = {
    "stated": coins.generation(30),
    "window": coins.generation(fair=True),
    "mixed": coins.tree(()),
  }[kind]
  return len(coin_tokenizer.build().encode(prompt.text).ids)


def _exact_tails(kind, tokens, flips):
  if kind == "window":
    return exact.window_tails(flips)[:, :-1]
  if kind == "mixed":
    return exact.next_tails(flips)[:, :-1]
  vocabulary = coin_tokenizer.vocabulary()
  place = coin_tokenizer.build().encode(coins.generation(30).text).tokens
  place = place.index(" 30")
  percent = np.array([int(vocabulary[row[place]]) for row in tokens])
  return np.broadcast_to(percent[:, None] / 100, flips.shape)


def _divergence(tails, log_sides):
  """Of the model from the exact probability, in nats."""
  sides = np.stack([1 - tails, tails], axis=-1)
  safe = np.where(sides > 0, sides, 1.0)
  return (sides * (np.log(safe) - log_sides)).sum(axis=-1)


def _labels(subject, documents, seed):
  """Mean excess of the label over all lengths, of each judged sequence.

  Sequences are drawn from the process, half of them with a comma at the end.
  """
  key = jax.random.fold_in(jax.random.key(seed), 2**21)
  flips = np.asarray(_process(key, documents, coins.LONGEST_JUDGED)[0])
  found = []
  for comma, part in enumerate((flips[::2], flips[1::2])):
    logs = subject.judged(part, trailing_comma=bool(comma))[:, 1:]
    chance = exact.not_random(part)[:, 1:]
    found.append(_divergence(chance, logs.astype(np.float64)).mean(axis=1))
  return np.concatenate(found)
