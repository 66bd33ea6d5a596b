"""Trains a small model from scratch: python -m launch.train --out=runs/walks.

Writes a folder that `--model` of the other programs, and transformers, read:
config.json, model.safetensors, tokenizer.json, README.md (data, recipe,
scores), scores.json, training.json and the loss curve. A killed training
continues when the same command is given again.
"""

import pathlib

from absl import flags

from icl_graphs import atomic
from icl_graphs.engine import progress
from icl_graphs.experiments import model_card, score_tables, trained_model
from icl_graphs.report import figures, run_folder
from icl_graphs.training import (
  folder,
  mixture,
  optimise,
  recipe,
  tokenizer,
  walks,
)
from launch import program

_TASK = flags.DEFINE_enum(
  "task", "walks", sorted(walks.TASKS), "What to learn."
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


def main(_):
  out = run_folder.open_folder(_OUT.value)
  described = recipe.scaled(walks.TASKS[_TASK.value](), _STEPS.value)
  settings = trained_model.Settings(
    context=described.max_positions - 1,
    window=min(_WINDOW, described.max_positions - 1),
    walks=_SCORE_WALKS.value,
    assignments=_ASSIGNMENTS.value,
  )
  others = {}
  for folder_of_other in _OTHER_SEEDS.value:
    others |= trained_model.read(pathlib.Path(folder_of_other), settings)
  record = folder.finished(out, described, _SEED.value)
  if record is None:
    record = _train(out, described)
  words = tokenizer.vocabulary(described.vocab_size)
  own = trained_model.scores(
    out,
    # Days and months mean something to the model; nouns do not.
    words[sum(mixture.CALENDAR_LENGTHS) :],
    tuple(_SCORE_GRAPHS.value),
    settings,
  )
  scores = others | {str(_SEED.value): own}
  scores = {seed: scores[seed] for seed in sorted(scores, key=int)}
  run_folder.write_json(out / trained_model.FILE, scores)
  card = model_card.write(described, record, scores)
  atomic.write_text(out / "README.md", card)
  chart = model_card.curve(described, record["losses"])
  figures.write_png(chart, out / "loss.png")
  print(score_tables.brief(own))


def _train(out, described):
  state_file = out / optimise.STATE_FILE
  with progress.bar("training", described.tokens) as advance:
    state = optimise.train(
      described,
      _SEED.value,
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
  folder.save(out, described, state.params, record)
  for file in out.glob(f"{optimise.STATE_FILE}*"):
    file.unlink()
  return record


if __name__ == "__main__":
  program.run(main)
