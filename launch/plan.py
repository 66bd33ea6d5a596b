"""Plans runs for machines that are not at hand: python -m launch.plan

Without --compile, prints for several models, accelerators and meshes what
bounds a pass with its useful output: weights and memory in use per device (GB),
walks per member of the data axis, operations and bytes sent per token,
operations per byte of memory, the seconds of a step by what they are spent on,
and tokens per second and host: the bound of the vendors' figures, and what to
expect with the shares that engine/roofline.py assumes. A star marks the mesh to
choose.

With --compile=SHAPE, compiles the real step for that model without ever
allocating it, on --devices forced CPU devices or, where jax[tpu] is installed
(no TPU is needed), for a TPU topology, and prints its memory and what its
devices exchange:

  python -m launch.plan --compile=llama-3.1-70b --mesh=data:8,model:8
  python -m launch.plan --compile=llama-3.1-70b --mesh=model:4 \
      --topology=v5p:4x4x4
"""

from absl import flags
import jax

from icl_graphs.experiments.speed import plan, shapes
from icl_graphs.models import families
from launch import program

_COMPILE = flags.DEFINE_string("compile", None, "Shape to compile.")
_SHAPES = flags.DEFINE_list(
  "shapes",
  ["llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"],
  "Shapes in the table.",
)
_DEVICES = flags.DEFINE_integer(
  "devices", 64, "CPU devices to force.", lower_bound=1
)
_LAYERS = flags.DEFINE_integer("layers", None, "Default: all.", lower_bound=1)
_WORDS = flags.DEFINE_integer("words", 2047, "Of a walk.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 1, "Walks per member.", lower_bound=1)
_GROUPS = flags.DEFINE_integer("groups", 8, "Of walks.", lower_bound=1)
_DTYPE = flags.DEFINE_enum("dtype", "bfloat16", ["bfloat16", "float32"], "")
_MESH = flags.DEFINE_string("mesh", "data:8,model:8", "As of a run.")
_TOPOLOGY = flags.DEFINE_string("topology", None, "Such as v5p:2x2x1.")


def main(_):
  if _COMPILE.value is None:
    found = plan.lines(_SHAPES.value, groups=_GROUPS.value)
  else:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", _DEVICES.value)
    settings = plan.Settings(
      words=_WORDS.value,
      batch=_BATCH.value,
      groups=_GROUPS.value,
      dtype=_DTYPE.value,
      mesh=_MESH.value,
      topology=_TOPOLOGY.value,
    )
    shape = shapes.config(_COMPILE.value, _LAYERS.value)
    found = plan.report(families.translate(shape), settings)
  for line in found:
    print(line)


if __name__ == "__main__":
  program.run(main, keep_compiled=False)
