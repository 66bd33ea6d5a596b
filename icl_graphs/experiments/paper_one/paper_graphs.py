"""The graphs of the paper, observed with a model and with random weights."""

from collections.abc import Iterable, Mapping
from typing import Any

from icl_graphs import errors
from icl_graphs.experiments import subject as subject_lib
from icl_graphs.probes import class_sums
from icl_graphs.report import view

GRID, RING, HEX = SPECS = ("grid:4x4", "ring:10", "hex:3x3")
# Contexts, log-spaced from the first word on: onsets are asked about.
DENSE, SPARSE = 24, 14


def changes(subject: subject_lib.Subject, spec: str) -> dict[str, Any]:
  """How the paper walks on a graph: the ring by independent pairs of words.

  The separator between pairs is left out where the tokenizer does not have it.

  Raises:
    InputError: the model cannot be asked about this graph.
  """
  count = DENSE if spec == GRID else SPARSE
  contexts = class_sums.log_spaced_contexts(subject.context, count, 1)
  asked: dict[str, Any] = {"contexts": contexts}
  if spec == RING:
    asked["mode"] = "pairs"
    try:
      subject.plan(spec, **asked)
    except errors.InputError:
      asked["separator"] = None
  subject.plan(spec, **asked)
  return asked


def observe(
  subject: subject_lib.Subject, asked: Mapping[str, Mapping[str, Any]]
) -> dict[str, view.GraphView]:
  """Walks on several graphs, read by the model and by random weights.

  Args:
    subject: the model.
    asked: graph to changes of the settings.
  """
  trained = {
    spec: subject.trace(spec, **changed) for spec, changed in asked.items()
  }
  # One after the other: there may not be room for the weights of both.
  untrained = {
    spec: subject.untrained.trace(spec, **changed)
    for spec, changed in asked.items()
  }
  at = subject.report_layer, subject.report_window
  return {
    spec: view.at(
      view.GraphView(
        spec, trained[spec], control=view.GraphView(spec, untrained[spec])
      ),
      *at,
    )
    for spec in asked
  }


def possible(
  subject: subject_lib.Subject, specs: Iterable[str] | None = None
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
  """Which graphs a model can be asked about, and how.

  Args:
    subject: the model.
    specs: graphs; None for those of the paper.

  Returns:
    (graph to changes of the settings, a note for each that is left out).

  Raises:
    InputError: none of them.
  """
  asked, notes = {}, []
  problem = None
  for spec in SPECS if specs is None else specs:
    try:
      asked[spec] = changes(subject, spec)
    except errors.InputError as error:
      problem = error
      notes.append(f"{spec} is left out: {str(error).splitlines()[0]}.")
  if not asked and problem is not None:
    raise problem
  return asked, tuple(notes)
