"""icl_graphs: watch a language model rewire its concepts from context alone.

Dimension letters used everywhere: B batch (walks), T time (query position),
S key position, N query heads, K key/value heads, H head size, D model width,
F MLP width, V vocabulary, L layers (blocks), C context checkpoints, W windows,
G walk groups, n nodes.

Hidden state 0 is the embedding and hidden state k (1-based) the output of block
k, always before the final norm; every public place that takes a layer counts
this way.

Context length t is the number of words seen, the current one included, so that
word t stands at position t when one BOS token is at position 0.
"""

__version__ = "0.1.0"
