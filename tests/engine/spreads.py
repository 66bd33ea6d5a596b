"""One job on many spreads of eight devices; run as a program by its test.

python -m tests.engine.spreads FOLDER prints what it found as JSON.
"""

import json
import pathlib
import re
import sys

import jax
import numpy as np

from icl_graphs.engine import forward, parallel, run, state
from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, prompts

ROWS, SOME, ALL, WORDS = 8, 8, 20, 30
VOCABULARY, NODES = 32, 9
# Devices and mesh; the last one has more devices than key/value heads.
SPREADS = (
  (1, None),
  (2, None),
  (4, None),
  (8, None),
  (8, "data:2,model:4"),
)
HF_CONFIG = {
  "model_type": "llama",
  "architectures": ["LlamaForCausalLM"],
  "vocab_size": VOCABULARY,
  "hidden_size": 16,
  "intermediate_size": 24,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 64,
  "rms_norm_eps": 1e-5,
  "initializer_range": 0.3,
}


def plan(folder) -> forward.Plan:
  layout = prompts.Layout(
    (1,), tuple(range(5, 5 + NODES)), tuple("abcdefghi"), "walk", None
  )
  sums = class_sums.ClassSums(NODES, 2, (10, WORDS), (10,), 1)
  return forward.Plan(
    families.read_config(folder), layout, sums, (0, 1, 2), WORDS
  )


def collected(folder, devices, mesh):
  """Observations, those of a run in two parts, and facts about the program."""
  job = plan(folder)
  spread = parallel.spread(devices, mesh)
  spread.check(job.decoder)
  params = checkpoint.load(folder, job.decoder, place=spread.place)
  work = forward.task(graphs.parse("grid:3x3"), 3)
  file = pathlib.Path(folder) / f"{devices}-{mesh}.npz"

  def collect(walks, state_file=None):
    return run.collect(
      job,
      params,
      work,
      walks=walks,
      batch_size=ROWS // spread.data,
      spread=spread,
      label="test",
      state_file=state_file,
    )

  whole = collect(ALL)
  collect(SOME, file)
  stopped = state.load(file, "", (whole.sums, whole.per_walk))
  resumed = collect(ALL, file)
  program = run._programs.step(
    job, spread, params, spread.put(work), ROWS // spread.data
  )
  embedding = params["embedding"].addressable_shards[0].data
  return whole, stopped, resumed, program.as_text(), embedding.shape


def leaves(observed: state.State) -> list[np.ndarray]:
  return [np.asarray(x) for x in (*observed.sums, *observed.per_walk)]


def furthest(left: state.State, right: state.State) -> float:
  """Largest difference, relative to the largest number of each array."""
  pairs = zip(leaves(left), leaves(right), strict=True)
  return max(
    float(np.nanmax(np.abs(a - b)) / max(1e-30, np.nanmax(np.abs(b))))
    for a, b in pairs
  )


def gathered(program: str) -> list[str]:
  """Shapes of floating-point arrays that devices gather from each other."""
  return re.findall(r"= f32\[([\d,]*)\]\S* all-gather", program)


def main(folder: str) -> None:
  path = pathlib.Path(folder)
  path.mkdir(exist_ok=True)
  (path / "config.json").write_text(json.dumps(HF_CONFIG))
  config = families.read_config(path)
  checkpoint.save(path, HF_CONFIG, decoder.init(config, 0))
  reference = None
  for devices, mesh in SPREADS:
    whole, stopped, resumed, program, shape = collected(path, devices, mesh)
    reference = reference or (whole, stopped)
    found = {
      "spread": [devices, mesh],
      "whole": furthest(whole, reference[0]),
      "stopped": furthest(stopped, reference[1]),
      "done": [whole.done, stopped.done, stopped.batch_size],
      "resumed_exactly": all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in zip(leaves(resumed), leaves(whole), strict=True)
      ),
      "nodes_equal": bool(
        (whole.per_walk.nodes == reference[0].per_walk.nodes).all()
        and (whole.sums.count == reference[0].sums.count).all()
      ),
      "gathered": gathered(program),
      "embedding": shape,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
  jax.config.update("jax_numpy_rank_promotion", "raise")
  main(sys.argv[1])
