"""Several models asked about paper two: headline numbers and their curves.

The appendices of arXiv 2310.17639 on further models.
"""

from collections.abc import Sequence
import dataclasses
import pathlib

import xarray as xr

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import distraction
from icl_graphs.report import model_table, run_folder
from icl_graphs.report.paper_two import (
  model_lines,
  models_beliefs,
  models_flips,
)

HEADLINES = (
  model_table.Headlines(
    "Generated flips",
    (
      ("generation", "slope_of_mean_on_p", "slope of mean on p"),
      ("generation", "bias", "mean - p"),
      ("generation", "largest_bias", "largest |mean - p|"),
      ("generation", "sd_of_mean", "SD of sequence means"),
      ("generation", "longest_run", "longest run"),
      ("generation", "alternation", "alternation rate"),
      ("subsequences", "distinct", "windows of 10"),
      ("subsequences", "gzip_together", "compressed size"),
      ("subsequences", "indel", "edit distance"),
    ),
    "Intervals are over sequences. The null of the slope is p shuffled among"
    " prompts, that of the largest distance independent flips. From the SD on,"
    " numbers are relative differences from independent flips with the model's"
    " own mean, averaged over p: -0.1 is a tenth less; their null is other sets"
    " of independent flips. Different windows of 10, compressed sizes and edit"
    " distances have no interval: sequences drawn twice are repetitions by"
    " themselves.",
  ),
  model_table.Headlines(
    "Judged flips",
    (
      ("judgment", "captured_mass", "mass on both answers"),
      ("judgment", "share_with_a_transition", "concepts found out"),
      ("judgment", "median_n50", "median n50 of p(non-random)"),
      ("judgment", "evidence_slope", "evidence, nats per flip"),
      ("judgment", "random_on_fair_flips", "p(random), long fair flips"),
      ("judgment", "advantage_at_the_end", "fair less repeated, at the end"),
    ),
    "Intervals are over concepts, or over fair sequences. Found out: judged"
    " non-random by more than one half from some n to the end; the null is the"
    " share of fair sequences. n50 is over all concepts: one that is never"
    " judged non-random counts as one flip more than were judged, and 1 means"
    " that there was no transition, but non-random from the first flip on. The"
    " null of the evidence is an ideal observer's ln 2; that of p(random),"
    " repeated concepts.",
  ),
  model_table.Headlines(
    "Flips that are expected",
    (
      ("trees", "concept_probability_at_0", "concept probability at no flips"),
      (
        "trees",
        "concept_probability_at_end",
        "and at the end",
      ),
      ("trees", "n50", "n50 of concept probability"),
      (
        "selection",
        "evidence_slope_beyond_averaging",
        "evidence slope beyond averaging",
      ),
      (
        "distraction",
        f"flips less answer, {distraction.DRAWN} flips",
        f"P(Flips) less P(answer), {distraction.DRAWN} flips",
      ),
      ("phases", "energy_beyond, concept, end", "energy of the ring of phases"),
      ("phases", "half-way less n50", "ring half-way less n50 (flips)"),
    ),
    "Intervals are over concepts or questions. n50 is a mean over the concepts"
    " that reach one half for good. Nulls: fair flips; random weights (at the"
    " end, and of P(Flips)); an observer who averages over all repeated words;"
    " phases in random orders.",
  ),
)


def draw(
  models: Sequence[model_table.Model], out: pathlib.Path
) -> list[dict[str, str]]:
  """Draws what at least one model has measured; see `model_table.write`.

  Args:
    models: whose folders hold the measurements.
    out: folder for the PNGs.

  Returns:
    File, caption and alternative text of every figure.
  """
  written = []
  for one in recipe.captioned(_CAPTIONS):
    name, make = _DRAWN[one.file]
    measured = _measured(models, name)
    if any(data is not None for data in measured.values()):
      make(out / one.file, measured)
      written.append(dataclasses.asdict(one))
  return written


def _measured(models, names: Sequence[str]) -> model_lines.Measured:
  """Model to its measurements in all of some recipes, if it has them."""
  found = {}
  for model in models:
    paths = [model.folder / name / run_folder.MEASUREMENTS for name in names]
    known = all(name in model.summary for name in names)
    found[model.name] = None
    if known and all(path.exists() for path in paths):
      found[model.name] = xr.merge(
        [run_folder.read_tree(path).to_dataset() for path in paths],
        join="outer",
        compat="no_conflicts",
      )
  return found


# File to the recipes whose measurements it shows.
_DRAWN = {
  "models_mean.png": (("generation",), models_flips.means),
  "models_flips.png": (("generation", "subsequences"), models_flips.statistics),
  "models_judged.png": (("judgment",), models_beliefs.judged),
  "models_concepts.png": (("judgment",), models_beliefs.by_concept),
  "models_expected.png": (("trees",), models_beliefs.expected),
  "models_questions.png": (("distraction",), models_beliefs.questions),
}
_CAPTIONS = {
  "models_mean.png": (
    "Mean of generated flips against the probability of Tails that the prompt"
    " states. Whiskers: 95% over sequences. Left: a model that can be told"
    " what to do lies on the thin line, one that cannot is flat, one that is"
    " pulled to fair flips is too shallow. Right: the same less the stated"
    " probability."
  ),
  "models_flips.png": (
    "Statistics of generated flips against the stated probability of Tails."
    " Top: as measured; thin grey lines are independent flips with each"
    " model's own mean. Bottom: relative to those, in percent; the grey band"
    " holds 95% of as many independent flips (the widest of the models'), so"
    " that what leaves it is not chance. The gambler's fallacy is above the"
    " band for alternation and below it elsewhere."
  ),
  "models_judged.png": (
    "Judged randomness. Left: p(random) of repeated concepts, the mean over all"
    " 27, which falls where the model finds them out. Right: of as many fair"
    " sequences, which should stay. Bands, where there are few models: 95% of"
    " the mean."
  ),
  "models_concepts.png": (
    "p(random) of single repeated concepts, from short to long (0 = Heads, 1 ="
    " Tails). A sharp change is a cliff, and it comes later for longer"
    " concepts."
  ),
  "models_expected.png": (
    "Concept probability: that the next six flips go on repeating the concept,"
    " in any phase. Left: the mean over the concepts, with 95% of the mean"
    " where there are few models; dotted: fair flips. Right: n50, from which on"
    " the concept is expected with probability one half, by concept; a missing"
    " mark means never."
  ),
  "models_questions.png": (
    "Flips where a question's answer should be. Probability that the next"
    " token is a flip less that of the right letter, a mean over questions;"
    " above zero the flips have captured the model."
  ),
}
