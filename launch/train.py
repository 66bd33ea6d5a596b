"""Trains a small model from scratch: python -m launch.train --out=runs/walks.

Writes a folder that `--model` of the other programs, and transformers, read:
config.json, model.safetensors, tokenizer.json, README.md (data, recipe,
scores), scores.json, training.json and the loss curve. A killed training
continues when the same command is given again.
"""

from collections.abc import Callable
import pathlib
from typing import Any, NamedTuple

from absl import flags

from icl_graphs import atomic
from icl_graphs.engine import progress
from icl_graphs.experiments import (
  coin_model_card,
  coin_model_scores,
  model_card,
  score_tables,
  trained_model,
)
from icl_graphs.report import figures, run_folder
from icl_graphs.training import (
  coins,
  folder,
  mixture,
  optimise,
  recipe,
  tokenizer,
  walks,
)
from launch import program

_TASK = flags.DEFINE_enum(
  "task", "walks", sorted(walks.TASKS | coins.TASKS), "What to learn."
)
_OUT = flags.DEFINE_string("out", None, "Folder of the model.", required=True)
_SEED = flags.DEFINE_integer(
  "seed", 0, "Seed of weights and data.", lower_bound=0, upper_bound=2**32 - 1
)
_STEPS = flags.DEFINE_integer(
  "steps", None, "Optimiser steps; default the recipe's.", lower_bound=1
)
_SCORE_WALKS = flags.DEFINE_integer(
  "score_walks",
  256,
  "Walks per graph and assignment of the scores.",
  lower_bound=1,
)
_ASSIGNMENTS = flags.DEFINE_integer(
  "score_assignments",
  8,
  "Random assignments of words to nodes that the scores average.",
  lower_bound=1,
)
_SCORE_GRAPHS = flags.DEFINE_list(
  "score_graphs", "grid:4x4,ring:10,hex:3x3", "Graphs of the scores."
)
_SCORE_SEQUENCES = flags.DEFINE_integer(
  "score_sequences",
  200,
  "Sequences of flips at each stated probability, for the scores of coins.",
  lower_bound=2,
)
_SCORE_DOCUMENTS = flags.DEFINE_integer(
  "score_documents",
  256,
  "Documents of each kind, for the losses of coins.",
  lower_bound=4,
)
_OTHER_SEEDS = flags.DEFINE_list(
  "other_seeds",
  [],
  "Folders of the same training with other seeds; their "
  "scores join the model card.",
)
_SAVE_SECONDS = flags.DEFINE_float(
  "save_seconds", 60.0, "Least time between saves of unfinished work."
)
_WINDOW = 50


class _Job(NamedTuple):
  """What differs between tasks.

  Attributes:
    objective: of the training.
    save_tokenizer: into a folder.
    settings: recipe to the settings of the scores.
    score: folder, recipe and settings to scores.
    card: recipe, record of the training and scores to the text of README.md.
    brief: scores to a few lines.
    unit: of the loss.
  """

  objective: optimise.Objective
  save_tokenizer: Callable[[pathlib.Path, recipe.Recipe], None]
  settings: Callable[[recipe.Recipe], Any]
  score: Callable[..., dict[str, Any]]
  card: Callable[..., str]
  brief: Callable[[dict[str, Any]], str]
  unit: str


def _walk_settings(described):
  context = described.max_positions - 1
  return trained_model.Settings(
    context=context,
    window=min(_WINDOW, context),
    walks=_SCORE_WALKS.value,
    assignments=_ASSIGNMENTS.value,
  )


def _walk_scores(out, described, settings):
  words = tokenizer.vocabulary(described.vocab_size)
  return trained_model.scores(
    out,
    # Days and months mean something to the model; nouns do not.
    words[sum(mixture.CALENDAR_LENGTHS) :],
    tuple(_SCORE_GRAPHS.value),
    settings,
  )


def _coin_settings(described):
  del described
  return coin_model_scores.Settings(
    sequences=_SCORE_SEQUENCES.value, documents=_SCORE_DOCUMENTS.value
  )


def _coin_scores(out, described, settings):
  del described
  return coin_model_scores.scores(out, settings)


_JOBS = {
  "walks": _Job(
    optimise.WALKS,
    walks.save_tokenizer,
    _walk_settings,
    _walk_scores,
    model_card.write,
    score_tables.brief,
    "nats per word",
  ),
  "coins": _Job(
    coins.OBJECTIVE,
    coins.save_tokenizer,
    _coin_settings,
    _coin_scores,
    coin_model_card.write,
    coin_model_card.brief,
    "nats, weighted mean",
  ),
}


def main(_):
  out = run_folder.open_folder(_OUT.value)
  job = _JOBS[_TASK.value]
  describe = (walks.TASKS | coins.TASKS)[_TASK.value]
  described = recipe.scaled(describe(), _STEPS.value)
  settings = job.settings(described)
  others = {}
  for folder_of_other in _OTHER_SEEDS.value:
    others |= trained_model.read(pathlib.Path(folder_of_other), settings)
  record = folder.finished(out, described, _SEED.value)
  if record is None:
    record = _train(out, described, job)
  own = job.score(out, described, settings)
  scores = others | {str(_SEED.value): own}
  scores = {seed: scores[seed] for seed in sorted(scores, key=int)}
  run_folder.write_json(out / trained_model.FILE, scores)
  card = job.card(described, record, scores)
  atomic.write_text(out / "README.md", card)
  chart = model_card.curve(described, record["losses"], job.unit)
  figures.write_png(chart, out / "loss.png")
  print(job.brief(own))


def _train(out, described, job):
  state_file = out / optimise.STATE_FILE
  with progress.bar("training", described.tokens) as advance:
    state = optimise.train(
      described,
      _SEED.value,
      objective=job.objective,
      state_file=state_file,
      save_seconds=_SAVE_SECONDS.value,
      advance=advance,
    )
  record = {
    "task": _TASK.value,
    "seed": _SEED.value,
    "fingerprint": described.fingerprint(_SEED.value),
    "seconds": state.seconds,
    "losses": [round(value, 4) for value in state.losses],
  }
  folder.save(out, described, state.params, record, job.save_tokenizer)
  for file in out.glob(f"{optimise.STATE_FILE}*"):
    file.unlink()
  return record


if __name__ == "__main__":
  program.run(main)
