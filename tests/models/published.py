"""The config.json of real models, in the form that the hub has them in.

The factors of Phi-3-mini-128k's longrope are made up; no test depends on them.
"""

import json
import pathlib

MODELS = {
  name: raw
  for path in sorted(
    (pathlib.Path(__file__).parent / "fixtures").glob("*.json")
  )
  for name, raw in json.loads(path.read_text()).items()
}
