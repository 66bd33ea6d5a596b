"""What did we see? Pure float64 functions of numpy arrays.

Everything follows from inner products between class means (`gram`), so all of
it works on activations of any model from any tool:

  rows = ...                                   # [n, D], one mean per node
  products = gram.from_rows(rows)              # [n, n]
  energy.energies(products, adjacency, D)      # every energy by name
  pca.axes(products)                           # scores and explained ratios
  geometry.measure(products, geometry.frame(adjacency), D)   # all of them

`measurements` does this for every layer, window and context length of a run,
with intervals over walks and nulls over relabellings.
"""
