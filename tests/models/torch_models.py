"""Random tiny models as transformers builds, saves and runs them."""

import json
import pathlib

import numpy as np
import torch
import transformers

SHAPE = {
  "vocab_size": 101,
  "hidden_size": 48,
  "intermediate_size": 80,
  "num_hidden_layers": 3,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 4096,
  "tie_word_embeddings": False,
}


def llama(**switches) -> transformers.LlamaForCausalLM:
  """A Llama whose every parameter matters.

  Weights large enough that attention is far from uniform, norms and biases away
  from their initial ones and zeros.
  """
  torch.manual_seed(0)
  config = transformers.LlamaConfig(
    **SHAPE | switches, attn_implementation="eager"
  )
  model = transformers.LlamaForCausalLM(config).eval()
  with torch.no_grad():
    for name, parameter in model.named_parameters():
      if name.endswith("norm.weight"):
        parameter.uniform_(0.5, 1.5)
      elif name.endswith("bias"):
        parameter.normal_(std=0.5)
      elif "embed" in name:
        parameter.normal_()
      else:
        parameter.normal_(std=1.5 * parameter.shape[1] ** -0.5)
  return model


def save(
  model, folder: pathlib.Path, old_rope_form: bool = False, **save_options
) -> pathlib.Path:
  """Lets transformers write a model folder; returns it."""
  model.save_pretrained(folder, **save_options)
  if old_rope_form:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    if scaling["rope_type"] == "default":
      scaling = None
    config["rope_scaling"] = scaling
    path.write_text(json.dumps(config))
  return folder


def load(folder: pathlib.Path, dtype: torch.dtype):
  """A saved model as transformers runs it in this dtype."""
  return transformers.LlamaForCausalLM.from_pretrained(
    folder, dtype=dtype, attn_implementation="eager"
  ).eval()


def run(model, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Hidden states [L + 1, B, T, D] before the final norm, final, logits."""
  outputs = []
  hooks = [
    layer.register_forward_hook(
      lambda _, __, output: outputs.append(
        output[0] if isinstance(output, tuple) else output
      )
    )
    for layer in model.model.layers
  ]
  with torch.no_grad():
    result = model(
      torch.from_numpy(tokens).long(),
      output_hidden_states=True,
      use_cache=False,
    )
  for hook in hooks:
    hook.remove()
  # transformers' own last hidden state has been through the final norm.
  hidden = torch.stack([result.hidden_states[0], *outputs])
  return (
    hidden.float().numpy(),
    result.hidden_states[-1].float().numpy(),
    result.logits.float().numpy(),
  )
