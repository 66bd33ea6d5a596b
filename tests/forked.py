"""Starts a program again and again; what it imports is imported once.

python -m tests.forked MODULE imports what MODULE imports. For each line on
standard input, a JSON object of "flags" and the files "output" and "problems",
a fork of this process then runs MODULE as `python -m MODULE FLAGS` would; its
exit status is a line on standard output.
"""

import ast
import importlib.util
import json
import os
import runpy
import signal
import sys


def _import_as(module: str) -> None:
  """Imports what the source of `module` imports, but not `module`."""
  path = importlib.util.find_spec(module).origin
  with open(path) as file:
    nodes = ast.parse(file.read()).body
  wanted = [
    node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
  ]
  exec(compile(ast.Module(wanted, []), path, "exec"), {})


def main(module: str) -> None:
  _import_as(module)
  for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
      with (
        open(asked["output"], "w") as out,
        open(asked["problems"], "w") as err,
      ):
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
      signal.alarm(300)
      sys.argv = [module, *asked["flags"]]
      # Whatever it raises ends this process as it would end the program.
      runpy.run_module(module, run_name="__main__", alter_sys=True)
      return
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
  main(sys.argv[1])
