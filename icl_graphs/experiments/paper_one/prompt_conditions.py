"""The same walk as raw words, as the user's message, and as an answer begun."""

import pathlib

import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import conditions
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.probes import class_sums
from icl_graphs.report.paper_one import conditions as figure
from icl_graphs.tasks import chat

SPEC = "grid:4x4"
SHORTEST, CONTEXTS = 20, 6
RAW = "raw"
# Accuracy that a segment must lose for its geometry to count as not used.
LOSS = 0.05
TITLES = {
  "user": "user's turn",
  "assistant": "assistant's turn, prefilled",
}

_GEOMETRY = (
  "The geometry of the graph forms in every segment of a prompt.",
  "at the report layer and the longest context, in every condition, the energy"
  " ratio lies below and the distance correlation above what 97.5% of"
  " relabellings of the nodes reach (whole intervals)",
)
_INERT = (
  "It can be there and not be used: in some segment of a chat the next node is"
  " predicted less well than after raw words, geometry or not.",
  "there, in some chat condition, geometry is shown as above while the paired"
  f" difference of next-node accuracy from raw words lies below -{LOSS} (whole"
  " interval)",
)


def openings(
  subject: graph_subject.GraphSubject,
) -> tuple[dict[str, chat.Opening], dict[str, str]]:
  """What stands before the words per role, and why a role has nothing."""
  found, missing = {}, {}
  for role in chat.ROLES:
    try:
      found[role] = chat.opening(
        subject.tokenizer, subject.decoder.vocab_size, role
      )
    except errors.InputError as error:
      missing[role] = str(error)
  return found, missing


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  found, missing = openings(subject)
  if not found:
    return recipe.cannot(
      f"{missing[chat.ROLES[0]]}.".replace("; leave --chat out", ""),
      _GEOMETRY,
      _INERT,
    )
  # As many words in every condition.
  longest = max(len(one.ids) for one in found.values())
  length = min(subject.context, subject.decoder.max_positions - longest)
  contexts = class_sums.log_spaced_contexts(length, CONTEXTS, SHORTEST)
  window = min(subject.report_window, length)
  asked = {
    "context": length,
    "contexts": contexts,
    "windows": (window,),
    "report_window": window,
  }
  observed = {RAW: subject.trace(SPEC, **asked)}
  for role in found:
    observed[TITLES[role]] = subject.trace(
      SPEC, chat=True, chat_role=role, **asked
    )
  layer, settings = subject.report_layer, subject.settings
  ds = conditions.compare(
    observed,
    layer,
    window,
    resamples=settings.resamples,
    seed=settings.seed,
  )
  figure.draw(
    folder / "conditions.png",
    ds,
    f"{SPEC}: one walk in {len(observed)} kinds of prompt, hidden state"
    f" {layer}, window {window}",
  )
  last = ds.isel(context=-1)
  numbers = {
    f"{name} {condition}": dict(
      zip(
        conditions.STATS,
        map(float, last.measured.sel(condition=condition, name=name).values),
        strict=True,
      )
    )
    for condition in observed
    for name in conditions.NAMES
  }
  for condition in list(observed)[1:]:
    limits = last.difference.sel(
      condition=condition, condition_=RAW, name="accuracy_restricted"
    )
    numbers[f"accuracy beyond raw {condition}"] = dict(
      zip(conditions.STATS[:3], map(float, limits.values), strict=True)
    )
  return recipe.Outcome(
    claims=_claims(numbers, list(observed), f"hidden state {layer}, {length}"),
    numbers=numbers,
    figures=(
      recipe.Figure(
        "conditions.png",
        "The same walks read three ways: as raw words (as in the paper), as"
        " the user's message of a chat, and as an answer that the assistant"
        " has begun. Geometry (energy ratio and distance correlation) and"
        " next-node accuracy against context, then one against the other."
        " Bands: 95% intervals over groups of walks; dotted: relabelled nodes.",
        "Energy ratio, distance correlation and accuracy against context for"
        " each kind of prompt.",
      ),
    ),
    tables=(_table(numbers, list(observed)),),
    measurements=ds,
    notes=(
      f"Before a prefilled answer the user says {chat.INSTRUCTION!r}; the"
      " published wording is not known.",
      "Words end where they end: neither the end of the turn nor anything after"
      " it is read.",
      *(f"No {TITLES[role]}: {why}." for role, why in missing.items()),
    ),
  )


def _there(numbers, condition):
  ratio = numbers[f"energy_ratio {condition}"]
  correlation = numbers[f"distance_correlation {condition}"]
  return (
    ratio["high"] < ratio["null_low"]
    and correlation["low"] > correlation["null_high"]
  )


def _claims(numbers, names, where):
  known = all(
    np.isfinite(numbers[f"{name} {condition}"]["low"])
    for condition in names
    for name in conditions.NAMES
  )
  there = {condition: _there(numbers, condition) for condition in names}
  less = {
    condition: numbers[f"accuracy beyond raw {condition}"]
    for condition in names[1:]
  }
  inert = [one for one in less if there[one] and less[one]["high"] < -LOSS]
  geometry = "; ".join(
    f"{one} energy ratio {_text(numbers[f'energy_ratio {one}'])}, distance"
    f" correlation {_text(numbers[f'distance_correlation {one}'])}"
    for one in names
  )
  accuracy = "; ".join(
    f"{one} minus raw {_text(entry)}" for one, entry in less.items()
  )

  def verdict(holds):
    if not known:
      return recipe.CANNOT_TELL
    return recipe.SHOWN if holds else recipe.NOT_SHOWN

  null = numbers[f"energy_ratio {RAW}"]["null"]
  return (
    recipe.Claim(
      *_GEOMETRY,
      verdict(all(there.values())),
      f"{where} words: {geometry}; relabelled {null:.3f} and 0.",
    ),
    recipe.Claim(
      *_INERT,
      verdict(inert),
      f"{where} words, accuracy: raw"
      f" {_text(numbers[f'accuracy_restricted {RAW}'])}; {accuracy}.",
    ),
  )


def _text(entry):
  return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**entry)


def _table(numbers, names):
  return recipe.Table(
    "Longest context",
    ("condition", *conditions.NAMES),
    tuple(
      (
        condition,
        *(_text(numbers[f"{name} {condition}"]) for name in conditions.NAMES),
      )
      for condition in names
    ),
  )


RECIPE = recipe.Recipe(
  name="prompt_conditions",
  title="Prompt conditions of instruct models",
  question="Does it matter whose words the walk is?",
  source="Lepori et al., arXiv 2602.04212",
  run=run,
)
