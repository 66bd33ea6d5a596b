"""Runs the experiments of paper two, on coin flips, on any model.

python -m launch.coins --out=runs/coins
python -m launch.coins --figure=judgment --out=runs/coins
python -m launch.coins --model=FOLDER,owner/name --out=runs/models
python -m launch.coins --compare=runs/a,runs/b --out=runs/both
"""

import dataclasses

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import catalogue, coin_subject
from launch import experiments, program

_DEFAULT = coin_subject.Settings()
_HELP = {
  "model": "Folder, hub id, or bundled:NAME.",
  "revision": "Branch, tag or commit of a hub model.",
  "form": "Of the prompts: raw, chat (the tokenizer's template) or tulu.",
  "percents": "Stated probabilities of Tails, in percent.",
  "sequences": "Sequences per probability; the paper's open models had 1000.",
  "flips": "Flips of a sequence that are analysed.",
  "tokens": "Most tokens drawn for a sequence.",
  "judged": "Flips of the longest sequence that is judged.",
  "tree": "Flips of the longest context of a tree.",
  "trailing_comma": "Judged flips end in a comma, as in the OpenAI runs.",
  "questions": "CSV of multiple-choice questions; default our own.",
  "resamples": "Bootstrap resamples.",
  "dtype": "float32, bfloat16 or float16; default by device.",
  "attention": "reference, cpu, cudnn or tokamax (extra); default by device.",
  "seed": "Seed of sampling and resampling.",
  "batch_size": "Rows per device and step; default: fits.",
  "devices": "Number of devices of a host; default all.",
  "mesh": "Cut the parameters, e.g. data:2,model:4 or model:8.",
}


def _define_flags():
  for field in dataclasses.fields(coin_subject.Settings):
    default, text = getattr(_DEFAULT, field.name), _HELP[field.name]
    if field.name == "percents":
      flags.DEFINE_list("percents", list(map(str, default)), text)
    elif field.type is bool:
      flags.DEFINE_bool(field.name, default, text)
    elif field.type in (int, int | None):
      flags.DEFINE_integer(field.name, default, text)
    else:
      flags.DEFINE_string(field.name, default, text)


_define_flags()
_COMPARE = flags.DEFINE_list(
  "compare", [], "Folders of finished runs, to put side by side on one page."
)


def settings_from_flags() -> coin_subject.Settings:
  """Reads flags into the recipes' settings."""
  values = {
    field.name: flags.FLAGS[field.name].value
    for field in dataclasses.fields(coin_subject.Settings)
  }
  try:
    values["percents"] = tuple(map(int, values["percents"]))
  except ValueError:
    raise errors.InputError(
      f"--percents={','.join(values['percents'])}: expected whole numbers"
    ) from None
  return coin_subject.Settings(**values)


def main(_):
  known = catalogue.PAPER_TWO.recipes
  if experiments.LIST.value:
    print(experiments.listed(known))
    return
  if _COMPARE.value:
    experiments.compare(_COMPARE.value, experiments.out_folder())
    return
  names = experiments.FIGURE.value or list(known)
  asked = experiments.named(known, names)
  settings = settings_from_flags()
  (subjects,) = experiments.subjects(
    (coin_subject.CoinSubject, settings, ""),
  )
  for one in subjects:
    experiments.perform(one, asked, catalogue.PAPER_TWO)
  if len(subjects) > 1:
    experiments.compare([one.out for one in subjects], experiments.out_folder())


if __name__ == "__main__":
  program.run(main)
