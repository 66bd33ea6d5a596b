"""Colours shared by the figures and the page."""

from jaxtyping import Float
import numpy as np

# From OKLab to linear sRGB: B. Ottosson, "A perceptual color space for image
# processing" (2020).
_LAB_TO_CONE = np.array(
  [
    [1.0, 0.3963377774, 0.2158037573],
    [1.0, -0.1055613458, -0.0638541728],
    [1.0, -0.0894841775, -1.2914855480],
  ]
)
_CONE_TO_RGB = np.array(
  [
    [4.0767416621, -3.3077115913, 0.2309699292],
    [-1.2684380046, 2.6097574011, -0.3413193965],
    [-0.0041960863, -0.7034186147, 1.7076147010],
  ]
)


def by_place(positions: Float[np.ndarray, "n 2"]) -> list[str]:
  """A colour per node from its place in the graph's drawing.

  Left to right runs from blue to yellow and bottom to top from dark to light:
  the two contrasts that survive red-green colour blindness, the second also in
  greyscale. Words that are close in the graph get similar colours.
  """
  low, span = positions.min(axis=0), np.ptp(positions, axis=0)
  place = (positions - low) / np.where(span > 0, span, 1)
  place = np.where(span > 0, place, 0.5)
  x, y = place[:, 0], place[:, 1]
  lab = np.stack([0.40 + 0.38 * y, -0.02 * x, -0.13 + 0.27 * x], axis=-1)
  linear = np.clip((lab @ _LAB_TO_CONE.T) ** 3 @ _CONE_TO_RGB.T, 0, 1)
  encoded = np.where(
    linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
  )
  return [
    "#" + "".join(f"{round(255 * part):02x}" for part in rgb) for rgb in encoded
  ]
