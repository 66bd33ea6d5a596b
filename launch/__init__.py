"""Programs. Set here is what has to stand before numpy is imported."""

import os

# Analysis and theory multiply many small matrices: threads gain nothing there,
# and where other work holds the cores they wait for each other, at a hundred
# times the cost. JAX has threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
