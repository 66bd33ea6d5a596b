"""README of a trained model: data, recipe, scores of every seed; its curve."""

import dataclasses
from typing import Any

from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.experiments import score_tables
from icl_graphs.training import mixture, recipe, tokenizer


def write(
  described: recipe.Recipe, record: dict[str, Any], scores: dict[str, Any]
) -> str:
  """Text of the card.

  Args:
    described: what was trained.
    record: of this folder's own training.
    scores: seed to what `trained_model.scores` returned, all with the same
      settings.
  """
  words = tokenizer.vocabulary(described.vocab_size)
  parts = [
    _FRONT.format(
      layers=described.layers,
      width=described.width,
      context=described.max_positions - 1,
      words=len(words),
      nouns=len(words) - sum(mixture.CALENDAR_LENGTHS),
      seed=record["seed"],
      tokens=described.tokens / 1e6,
      minutes=record["seconds"] / 60,
      graphs=len(described.graphs),
      held_out=", ".join(f"`{spec}`" for spec in mixture.HELD_OUT),
    ),
    _stages(described),
    score_tables.markdown(scores),
  ]
  return "\n".join(parts)


_FRONT = """---
license: apache-2.0
library_name: transformers
tags: [in-context-learning, random-walks]
---

# walks

A small Llama-format model that learned to trace graphs from their random
walks. It knows {words} words ({nouns} nouns, days and months), no language.
Give it ` apple bird apple milk ...`, a walk over a graph whose nodes are those
words, and it predicts the neighbours of the last one. {layers} layers, width
{width}, up to {context} words of context after `<s>`. It exists to show and
test an instrument that watches representations take the shape of a graph; see
the repository.

## Training

Next-word prediction only: nothing in the loss looks at representations. Seed
{seed}, {tokens:.1f} million tokens, {minutes:.0f} minutes. Each sequence has
random words on the nodes of random graphs, drawn from {graphs}; held out from
training are {held_out} and every hexagonal lattice. The graph of a sequence and
the law of its steps may change on the way; what lies between two changes of the
graph is a scene. In a share of the scenes days or months walk on their calendar
ring, so that their order is known before any context.

Rebuild with `python -m launch.train --task=walks --seed={seed} --out=DIR`.
"""


def _stages(described: recipe.Recipe) -> str:
  """Stages and every other setting, as tables."""
  names = [field.name for field in dataclasses.fields(mixture.Mixture)]
  lines = ["| stage | " + " | ".join(f"{i}" for i in _count(described)) + " |"]
  lines.append("|---|" + "---|" * len(described.stages))
  for name in ("steps", "length", "batch", "max_nodes"):
    lines.append(_row(name, [getattr(s, name) for s in described.stages]))
  for name in names:
    lines.append(_row(name, [getattr(s.data, name) for s in described.stages]))
  rest = dataclasses.asdict(described)
  shown = {k: v for k, v in rest.items() if k not in ("graphs", "stages")}
  lines += ["", "| setting | value |", "|---|---|"]
  lines += [_row(name, [value]) for name, value in shown.items()]
  return "\n".join(lines) + "\n"


def _count(described):
  return range(1, len(described.stages) + 1)


def _row(name, values):
  return f"| {name} | " + " | ".join(str(value) for value in values) + " |"


def curve(
  described: recipe.Recipe, losses: list[float], unit: str = "nats per word"
) -> mpl_figure.Figure:
  """Loss of every step, faint, and its running mean; stages as lines."""
  chart = mpl_figure.Figure(figsize=(6, 3.2), layout="constrained", dpi=150)
  axes = chart.add_subplot()
  values = np.array(losses)
  span = max(1, len(values) // 100)
  smooth = np.convolve(values, np.ones(span) / span, mode="valid")
  axes.plot(values, color="#c7ccd4", linewidth=0.6)
  axes.plot(np.arange(len(smooth)) + span - 1, smooth, color="#1f4e79")
  begun = 0
  for stage in described.stages:
    axes.axvline(begun, color="#6b7280", linewidth=0.6, linestyle=":")
    axes.annotate(
      f" {stage}",
      (begun, 1),
      xycoords=("data", "axes fraction"),
      va="top",
      fontsize=7,
    )
    begun += stage.steps
  axes.set(xlabel="step", ylabel=f"loss ({unit})", xlim=(0, len(values)))
  axes.spines[["top", "right"]].set_visible(False)
  return chart
