"""A model of real size through the main program, with time and memory.

python tests/large_model.py --folder=/tmp/llama-1b

writes a random bfloat16 checkpoint of the shape of Llama-3.2-1B (2.5 GB) with a
word-level tokenizer, unless the folder has one, then runs `launch.trace` on a
4x4 grid with 1,400 words of context and reports, as JSON: seconds of writing
and of the run, and the peak memory of the run, watched from outside.
"anonymous" is what the process allocated, "resident" also counts mapped pages
of the checkpoint. Further flags go to `launch.trace`.

It takes ten minutes or more on two cores, so pytest does not collect it.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from icl_graphs.models import families  # noqa: E402
from tests import host_memory, programs, random_checkpoint  # noqa: E402

TRACE = (
  "--graphs=grid:4x4",
  "--context=1400",
  "--walks=8",
  "--batch_size=2",
  "--norandom_weights_control",
)


def write(folder: pathlib.Path) -> float:
  """Seconds; nothing is written where there is a checkpoint already."""
  if (folder / "model.safetensors").exists():
    return 0.0
  begin = time.perf_counter()
  random_checkpoint.write(folder, random_checkpoint.LLAMA_3_2_1B)
  return time.perf_counter() - begin


def run(folder: pathlib.Path, out: pathlib.Path, flags: list[str]) -> dict:
  """Runs the program, whose output goes through; its time and memory."""
  command = [sys.executable, "-m", "launch.trace", f"--model={folder}"]
  command += [f"--out={out}", *TRACE, *flags]
  begin = time.perf_counter()
  process = subprocess.Popen(command, cwd=programs.REPOSITORY)
  peak: dict[str, int] = {}
  while process.poll() is None:
    for name, value in host_memory.now(process.pid).items():
      peak[name] = max(peak.get(name, 0), value)
    time.sleep(0.2)
  return {
    "status": process.returncode,
    "seconds": round(time.perf_counter() - begin, 1),
    "peak_bytes": peak,
  }


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--folder", type=pathlib.Path)
  parser.add_argument("--out", type=pathlib.Path)
  options, flags = parser.parse_known_args()
  with tempfile.TemporaryDirectory() as temporary:
    folder = options.folder or pathlib.Path(temporary) / "model"
    out = options.out or pathlib.Path(temporary) / "run"
    report = {"write_seconds": round(write(folder), 1)}
    size = families.read_config(folder)
    report["checkpoint_bytes"] = (folder / "model.safetensors").stat().st_size
    report["layers"] = size.num_layers
    report |= run(folder, out, flags)
    print(json.dumps(report, indent=2))
  sys.exit(report["status"])


if __name__ == "__main__":
  main()
