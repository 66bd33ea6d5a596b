"""What stands in a model's row where several were asked about paper one."""

from icl_graphs.report import model_table

_GRAPHS = (("grid:4x4", "grid"), ("ring:10", "ring"), ("hex:3x3", "hexagonal"))
_MEASURES = (
  ("energy_relative", "relative energy"),
  ("principal_cosine_2", "smaller cosine"),
  ("accuracy_full", "accuracy"),
)
HEADLINES = (
  model_table.Headlines(
    "Headline numbers",
    (
      *(
        ("emergence", f"{graph} {measure}", f"{heading}, {name}")
        for graph, name in _GRAPHS
        for measure, heading in _MEASURES
      ),
      (
        "energy_and_accuracy",
        "grid:4x4 lag restricted",
        "accuracy half up over energy settled, grid",
      ),
    ),
    "Intervals are over walks; the null is the value with relabelled words.",
  ),
)
