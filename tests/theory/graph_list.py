"""Graphs of every family, many with repeated eigenvalues."""

GRAPHS = (
  *("grid:4x4", "grid:3x5", "grid:5x5", "ring:7", "ring:10", "ring:24"),
  *("hex:2x2", "hex:3x3", "line:8", "line:12", "torus:4x4", "torus:3x5"),
  *("triangular:3x3", "triangular:4x4", "tree:2x3", "tree:3x2"),
  *("hypercube:3", "hypercube:4", "cylinder:4x6", "cylinder:5x5"),
  *("circulant:12:1,2", "circulant:15:1,4", "mobius:8", "mobius:12"),
  *("complete:8", "complete:12", "regular:16:3:0", "regular:20:4:1"),
  *("gnp:16:0.25:1", "gnp:20:0.3:2", "sbm:8,8:0.6:0.05:0"),
  "sbm:6,6,6:0.8:0.1:1",
)
