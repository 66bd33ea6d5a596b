"""Bad settings of the main recipe are refused before weights are read."""

import dataclasses
import json
import pathlib
import shutil

import pytest

from icl_graphs import errors
from icl_graphs.engine import parallel
from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.models import checkpoint

GOOD = tracing_settings.Settings(graphs=("grid:3x3",), context=90, walks=24)


def prepare(tiny_model, **changes):
  settings = {"model": str(tiny_model)} | changes
  return tracing_settings.prepare(dataclasses.replace(GOOD, **settings))


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"graphs": ()}, "no graph"),
    ({"graphs": ("grid:4",)}, "grid:4"),
    ({"graphs": ("gird:4x4",)}, "gird"),
    ({"graphs": ("gnp:12:0.01:3",)}, "components"),
    ({"graphs": ("ring:300",)}, "300"),
    ({"graphs": ("ring:8",), "words": "days"}, "7"),
    ({"words": "letters"}, "token"),
    ({"context": 200}, "128"),
    ({"context": 0}, "between 1 and 128"),
    ({"context": 60, "windows": (80,)}, "window 80"),
    ({"contexts": (10, 95)}, "95"),
    ({"layers": (0, 7)}, r"\[7\]"),
    ({"report_layer": 9}, "report_layer"),
    ({"report_window": 9}, "report_window"),
    ({"walks": 3}, "groups"),
    ({"stay": 1.5}, "stay"),
    ({"hops": 0}, "hops"),
    ({"mode": "stroll"}, "stroll"),
    ({"pair_role": "third"}, "third"),
    ({"model": "/nowhere/at-all"}, "/nowhere/at-all"),
    ({"model": "bundled:nothing"}, "bundled"),
    ({"devices": 64}, "64 devices"),
    ({"mesh": "data:4,model:2"}, "takes 8 devices"),
    ({"mesh": "model:3"}, "4 attention heads"),
    ({"dtype": "int8"}, "int8"),
    ({"batch_size": 0}, "batch"),
    ({"chat": True}, "no chat template"),
  ],
)
def test_refuses(tiny_model, monkeypatch, changes, message):
  def too_late(*_):
    raise AssertionError("weights were read before the check")

  monkeypatch.setattr(checkpoint, "load", too_late)
  with pytest.raises(errors.InputError, match=message):
    prepare(tiny_model, **changes)


def test_defaults_follow_the_paper_where_the_model_allows(tiny_model):
  prepared = prepare(tiny_model, context=None)
  plan = prepared.plans["grid:3x3"]
  assert plan.words == 128  # All the tiny model holds; the paper has 1,400.
  assert plan.sums.windows == (50,)  # 200 words do not fit.
  assert plan.layers == (0, 1, 2)
  assert plan.layout.words[:2] == ("apple", "bird")
  assert prepared.report_layer == 2


def test_prompt_is_shown_as_the_model_reads_it(tiny_model):
  prepared = prepare(tiny_model)
  text = graph_tracing.example_prompt(prepared, "grid:3x3")
  assert text.startswith(" ")
  assert set(text.split()) <= set(prepared.plans["grid:3x3"].layout.words)


def test_chat_template_before_the_words(tiny_model, tmp_path):
  folder = tmp_path / "instruct"
  shutil.copytree(tiny_model, folder)
  path = folder / "tokenizer_config.json"
  template = "{{ bos_token }} box box {{ messages[0]['content'] }} sand"
  settings = json.loads(path.read_text()) | {"chat_template": template}
  path.write_text(json.dumps(settings))
  plain = prepare(tiny_model).plans["grid:3x3"].layout
  layout = prepare(folder, chat=True).plans["grid:3x3"].layout
  box = plain.node_token_ids[plain.words.index("box")]
  assert layout.bos_ids == (*plain.bos_ids, box, box)
  assert layout.node_token_ids == plain.node_token_ids
  assert prepare(folder).plans["grid:3x3"].layout == plain
  with pytest.raises(errors.InputError, match="between 1 and 126"):
    prepare(folder, chat=True, context=127)


def test_devices_decide_what_is_left_open(tiny_model):
  settings = prepare(tiny_model).settings
  assert (settings.dtype, settings.attention) == ("float32", "cpu")
  assert settings.devices == 4
  alone = prepare(tiny_model, devices=1)
  assert alone.settings.devices == len(alone.model.spread.devices) == 1
  # The order of additions is another one.
  marks = map(graph_tracing.fingerprint, (alone, prepare(tiny_model)))
  assert len(set(marks)) == 2
  asked = prepare(tiny_model, dtype="bfloat16", attention="reference").settings
  assert (asked.dtype, asked.attention) == ("bfloat16", "reference")


def test_devices_default_to_all(tiny_model):
  assert len(parallel.local_devices(None)) == 4
  assert pathlib.Path(tiny_model).is_dir()
