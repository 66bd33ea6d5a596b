"""What the pictures of emergence are held to, stated before they are drawn."""

from collections.abc import Mapping

import numpy as np

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import paper_graphs
from icl_graphs.report import view, wording

FORMED = (
  "relative energy below and smaller principal cosine above both what "
  "relabelled words give (value beyond the one-sided 2.5% limit, 95% interval "
  "over walks beyond the mean) and the value with random weights"
)
VERDICTS = {
  "present": recipe.SHOWN,
  "matched": recipe.NOT_SHOWN,
  "absent": recipe.NOT_SHOWN,
  "unknown": recipe.CANNOT_TELL,
}
SAYS = {
  "present": "Clear of relabelled words and of random weights",
  "matched": "Clear of relabelled words, but no further than random weights",
  "absent": "Not clear of relabelled words",
  "unknown": "Some word was never seen",
}
NUMBERS = (
  *("energy_relative", "principal_cosine_1", "principal_cosine_2"),
  *("distance_correlation", "accuracy_full", "accuracy_restricted"),
)
NOTES = (
  "A short walk mixes every word with its neighbours even in a model with "
  "random weights, whose attention averages over what came before; so a mesh "
  "at short contexts is called formed only beyond the random weights.",
  "Every layer and context is tested on its own; among all cells of a picture "
  "some would pass by chance, which is why an onset counts only if every later "
  "context passes too.",
  "One assignment of words to nodes; intervals are over walks, not over "
  "assignments. The paper's walks and layers are not known exactly.",
)


def claims(
  ones: Mapping[str, view.GraphView], found: Mapping[str, np.ndarray]
) -> tuple[recipe.Claim, ...]:
  """One claim per graph; of the grid also when and where.

  Args:
    ones: graphs, with their untrained controls.
    found: their `figures.states`.
  """
  made = [_formed(one, found[spec]) for spec, one in ones.items()]
  if paper_graphs.GRID in ones:
    grid, states = ones[paper_graphs.GRID], found[paper_graphs.GRID]
    made += [_with_context(grid, states), _with_depth(grid, states)]
  return tuple(made)


def _formed(one: view.GraphView, states: np.ndarray) -> recipe.Claim:
  here = one.layer, one.context
  state = states[here]
  return recipe.Claim(
    f"With enough context the words of {one.spec} take the shape of the graph.",
    f"At hidden state {one.labels('layer')[one.layer]} after "
    f"{one.context_text(one.context)}: {FORMED}.",
    VERDICTS[state],
    f"{SAYS[state]}: {measured(one, 'energy_relative', *here)}; "
    f"{measured(one, 'principal_cosine_2', *here)}.",
  )


def measured(one: view.GraphView, name: str, layer: int, context: int) -> str:
  """A number with its interval, its null and its control, in words."""
  here = layer, one.window, context
  value, low, high = (
    float(one.stat(name, which)[here]) for which in ("value", "low", "high")
  )
  bottom, top = (float(end[here]) for end in one.null_band(name))
  label = {
    "energy_relative": "relative energy",
    "principal_cosine_2": "smaller principal cosine",
  }.get(name, name.replace("_", " "))
  text = (
    f"{label} {wording.number(value)} {wording.interval(low, high)} "
    f"(relabelled {wording.number(bottom)} to {wording.number(top)}"
  )
  if one.control is not None:
    untrained = float(one.control.stat(name)[here])
    text += f", random weights {wording.number(untrained)}"
  return f"{text})"


def onset(row: np.ndarray) -> int | None:
  """First position from which on every context is "present"; None if none."""
  missing = np.flatnonzero(row != "present")
  first = missing[-1] + 1 if missing.size else 0
  return int(first) if first < len(row) else None


def _with_context(one: view.GraphView, states: np.ndarray) -> recipe.Claim:
  row = states[one.layer]
  seen = np.flatnonzero(row != "unknown")
  start = onset(row)
  if not seen.size:
    verdict, reason = recipe.CANNOT_TELL, "No context shows every word."
  else:
    first = int(seen[0])
    early = row[first] in ("present", "matched")
    verdict = recipe.NOT_SHOWN if early or start is None else recipe.SHOWN
    reason = (
      f"After {one.context_text(first)}: "
      f"{measured(one, 'energy_relative', one.layer, first)}; "
    )
    if start is None:
      reason += "it is not formed at the last context."
    else:
      reason += (
        f"formed from {one.context_text(start)} on at hidden state "
        f"{one.labels('layer')[one.layer]}."
      )
  return recipe.Claim(
    f"The mesh of {one.spec} is absent at first and appears as the context "
    "grows.",
    "At the shortest context with every word the picture is not clear of "
    "relabelled words, and from some context on to the last it is formed: "
    f"{FORMED}.",
    verdict,
    reason,
  )


def _with_depth(one: view.GraphView, states: np.ndarray) -> recipe.Claim:
  column = states[:, one.context]
  labels = one.labels("layer")
  quarter = max(1, len(labels) // 4)
  early = [k for k in range(quarter) if column[k] in ("present", "matched")]
  late = [k for k in range(len(labels) - quarter, len(labels))]
  missing = [labels[k] for k in late if column[k] != "present"]
  formed = [str(labels[k]) for k in np.flatnonzero(column == "present")]
  if (column == "unknown").any():
    verdict = recipe.CANNOT_TELL
  elif early or missing:
    verdict = recipe.NOT_SHOWN
  else:
    verdict = recipe.SHOWN
  last = len(labels) - 1
  return recipe.Claim(
    f"The mesh of {one.spec} is missing in the earliest layers and clear in "
    "the late ones.",
    f"After {one.context_text(one.context)} the first {quarter} of "
    f"{len(labels)} hidden states are not clear of relabelled words and the "
    f"last {quarter} are formed.",
    verdict,
    f"Formed at hidden states {', '.join(formed) or 'none'} of 0 to "
    f"{labels[-1]}; at 0 {measured(one, 'energy_relative', 0, one.context)}, "
    f"at {labels[last]} {measured(one, 'energy_relative', last, one.context)}.",
  )


def numbers(
  ones: Mapping[str, view.GraphView], found: Mapping[str, np.ndarray]
) -> dict:
  """Headline numbers by "graph name", each with interval, null and control."""
  made = {}
  for spec, one in ones.items():
    for name in NUMBERS:
      stats = _final(one, name)
      if stats is not None:
        made[f"{spec} {name}"] = stats
    start = onset(found[spec][one.layer])
    made[f"{spec} onset"] = (
      None if start is None else one.labels("context")[start]
    )
  return made


def _final(one: view.GraphView, name: str) -> dict | None:
  keys = ("value", "low", "high", "null")

  def read(which, view_):
    if f"{name}_final" in view_.dataset:
      return view_.stat(f"{name}_final", which, ())
    found = view_.stat(name, which)
    if found is None:
      return None
    return found[view_.layer, view_.window, view_.context]

  if read("value", one) is None:
    return None
  stats = {key: float(read(key, one)) for key in keys}
  if one.control is not None:
    stats["random_weights"] = float(read("value", one.control))
  return stats


def onsets(one: view.GraphView, states: np.ndarray) -> recipe.Table:
  """Per layer: from which context on the picture is formed, and how well."""
  rows = []
  for k, label in enumerate(one.labels("layer")):
    start, here = onset(states[k]), (k, one.context)
    clear = np.isin(states[k], ("present", "matched"))
    permuted = onset(np.where(clear, "present", "absent"))
    rows.append(
      (
        f"{label}" + (" (report)" if k == one.layer else ""),
        "never" if permuted is None else one.context_text(permuted),
        "never" if start is None else one.context_text(start),
        measured(one, "energy_relative", *here).removeprefix(
          "relative energy "
        ),
        measured(one, "principal_cosine_2", *here).removeprefix(
          "smaller principal cosine "
        ),
      )
    )
  return recipe.Table(
    f"{one.spec}: from which context on the picture is formed",
    (
      "hidden state",
      "clear of relabelled words from",
      "and of random weights from",
      "relative energy at the end",
      "smaller principal cosine at the end",
    ),
    tuple(rows),
  )
