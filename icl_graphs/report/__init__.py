"""How a run is shown: figures, one interactive page, a terminal table.

`figures.write` draws PNGs, `html.write` one self-contained page and
`tables.headline` the table a program prints. All three read the labelled
measurements of a run (one dataset per graph) and its flat summary; none
computes a new measurement. What they add is for the eye only: a rotation of the
PCA pictures, colours, and a sentence that compares intervals with nulls.
"""
