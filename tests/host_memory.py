"""Memory that a process has for itself, watched while something runs.

Counted is anonymous memory (Anonymous in /proc/PID/smaps_rollup): what was
allocated. The resident set, which getrusage reports, also counts pages of
mapped files, which the system takes back whenever it likes; it is told too.
"""

import contextlib
import pathlib
import re
import threading
import time

_FIELDS = {"anonymous": "Anonymous", "resident": "Rss"}


def available() -> bool:
  """Whether this system tells."""
  return pathlib.Path("/proc/self/smaps_rollup").exists()


def now(process: int | str = "self") -> dict[str, int]:
  """Bytes at this moment: "anonymous" and "resident".

  Args:
    process: its id; zeros for one that has ended.
  """
  try:
    text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
  except (FileNotFoundError, ProcessLookupError):
    return dict.fromkeys(_FIELDS, 0)
  return {
    name: 1024 * int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1])
    for name, field in _FIELDS.items()
  }


@contextlib.contextmanager
def watched(every: float = 0.003):
  """Yields a dict that has the greatest values of `now` when it is over."""
  peak = now()
  finished = threading.Event()

  def watch():
    pause = every
    while not finished.wait(pause):
      begin = time.perf_counter()
      for name, value in now().items():
        peak[name] = max(peak[name], value)
      # Looking costs the system time in proportion to the memory.
      pause = max(every, 5 * (time.perf_counter() - begin))

  thread = threading.Thread(target=watch)
  thread.start()
  try:
    yield peak
  finally:
    finished.set()
    thread.join()
