"""Imports the classes that Stable Diffusion XL is built of, which takes seconds.

For what begets workers (`real_runner.workers.nursery`): it does so once, and no worker has to.
"""

from real_runner.shards.packages import class_named
from real_runner.shards.sdxl.schedule import KINDS

for _name in ("UNet2DConditionModel", "AutoencoderKL", *(name for name, _ in KINDS.values())):
    class_named("diffusers", _name)
for _name in ("CLIPTextConfig", "CLIPTextModel", "CLIPTextModelWithProjection"):
    class_named("transformers", _name)
