"""Trains a small model from scratch: python -m launch.train --out=runs/walks.

Writes a folder that `--model` of the other programs, and transformers, read:
config.json, model.safetensors, tokenizer.json, README.md (data, recipe,
scores), scores.json, training.json and the loss curve. A killed training
continues when the same command is given again.
"""

import json
import pathlib

from absl import flags

from icl_graphs import errors
from icl_graphs.engine import progress
from icl_graphs.experiments import model_card, trained_model
from icl_graphs.report import run_folder
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
  "score_walks", 256, "Walks per graph of the scores.", lower_bound=8
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
SCORES = "scores.json"


def main(_):
  out = run_folder.open_folder(_OUT.value)
  described = recipe.scaled(walks.TASKS[_TASK.value](), _STEPS.value)
  others = _others()
  record = folder.finished(out, described, _SEED.value)
  if record is None:
    record = _train(out, described)
  words = tokenizer.vocabulary(described.vocab_size)
  scores = trained_model.scores(
    out,
    # Days and months mean something to the model; nouns do not.
    words[sum(mixture.CALENDAR_LENGTHS) :],
    tuple(_SCORE_GRAPHS.value),
    context=described.max_positions - 1,
    walks=_SCORE_WALKS.value,
  )
  scores = dict(sorted((others | {str(_SEED.value): scores}).items()))
  run_folder.write_json(out / SCORES, scores)
  card = model_card.write(described, record, scores)
  (out / "README.md").write_text(card, encoding="utf-8")
  chart = model_card.curve(described, record["losses"])
  chart.savefig(out / "loss.png", metadata={"Software": None})
  for spec, entry in scores[str(_SEED.value)].items():
    met = trained_model.meets_targets(entry)
    print(
      f"{spec}: accuracy {entry['accuracy_full']:.2f}, all targets met at "
      f"hidden states {', '.join(met) or 'none'}"
    )


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
  state_file.unlink(missing_ok=True)
  return record


def _others():
  found = {}
  for name in _OTHER_SEEDS.value:
    path = pathlib.Path(name) / SCORES
    try:
      found |= json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
      raise errors.InputError(
        f"--other_seeds: cannot read {path}: {error}"
      ) from error
  return found


if __name__ == "__main__":
  program.run(main)
