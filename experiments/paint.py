"""A picture from a prompt, its denoiser in another process: no cloud gets the prompt.

Run it as ``python -m experiments.paint "a prompt" --out picture.png [--weights FOLDER]``, or copy
it: a scenario of one request, a tokenizer, and functions that the real runner calls: one tells what
is asked, the others write what comes of it into files.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from experiments.asking import (
    SeedOption,
    TopologyName,
    WeightsFolder,
    finished,
    held,
    note,
    setting,
    typed,
    world_of,
)
from experiments.cli import ending
from experiments.cli.inside import LinksOption, settle
from experiments.cli.options import Settings, progress_bar
from experiments.cli.run import CredentialsFolder, Inventory
from experiments.easel import Easel, pixels
from experiments.extras import needs
from experiments.workplaces import Links, open_runner
from sim.errors import PolicyError
from sim.policies.denoising import SplitDenoising
from sim.policies.generating import sdxl_of
from sim.runner import Scenario
from sim.tables import Tables
from workloads.sdxl.model import Sdxl

PROGRAM = "from experiments import paint; paint.ending.end_with(paint.status_of)"
SMALL, BASE = ("sdxl-small", "128x128"), ("sdxl-base", "1024x1024")
PICTURE = Path("picture.png")
app = ending.program_of("Paint with a Stable Diffusion XL whose denoiser runs in another process.")


@app.command()
def paint(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What the picture is to show.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture, a PNG.")] = PICTURE,
    weights: WeightsFolder = None,
    avoid: Annotated[str, typer.Option(help="What it is not to show.")] = "",
    steps: Annotated[int, typer.Option(help="Of denoising.")] = 30,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="In pixels.")] = None,
    seed: SeedOption = 0,
    scheduler: Annotated[str, typer.Option(help="euler, ddim or dpmpp-2m")] = "euler",
    policy: Annotated[str, typer.Option(help="NAME[:key=value,…]")] = "lambda-split/edge-scheduler",
    preview: Annotated[int, typer.Option(help="Save one after every so many steps.")] = 0,
    scenario: Annotated[str, typer.Option(help="Whose nodes paint.")] = "small-sdxl",
    topology: TopologyName = None,
    links: LinksOption = Links.LOOPBACK.value,
    inventory: Inventory = None,
    credentials: CredentialsFolder = None,
    settings: Settings = None,
) -> None:
    """Paint with a Stable Diffusion XL whose denoiser runs in another process.

    Example: python -m experiments.paint "a fox in the snow" --out fox.png --preview 5
    """
    kind = settle(context.obj, links, program=PROGRAM)
    model, usual = BASE if weights else SMALL
    width, height = pixels(size or usual)
    world = world_of(scenario, topology, weights, policy, (
        setting("workload.model", model),
        setting("workload.painting.steps", steps),
        setting("workload.painting.width_px", width),
        setting("workload.painting.height_px", height),
        setting("workload.painting.scheduler", scheduler),
        *(settings or ()),
    ))  # fmt: skip
    chosen = with_previews(world.scenario, preview)
    with needs("real"):
        from real_runner.shards.sdxl.tokenizer import tokenizer_for  # noqa: PLC0415 - an extra
    sdxl, folder = sdxl_of(chosen.workload.model), world.deployment.weights
    encode = tokenizer_for(folder, sdxl.variant)
    avoided = encode(typed(avoid)) if avoid else (0,) * sdxl.variant.text_tokens
    asked = (*encode(typed(prompt)), *avoided)[: sdxl.captured.tokens]
    if folder is None:
        note(f"{sdxl.name} has drawn weights: what it paints is nothing in particular.")
    with progress_bar("painting", sdxl.steps) as advance:
        easel = Easel(sdxl, out, asked, seed, advance)
        with open_runner(
            kind, world.deployment, inventory=inventory, credentials=credentials,
            asking=easel.asked, answered=easel.answered, previewed=easel.previewed,
            computed=easel.computed,
        ) as runner:  # fmt: skip
            tables = finished(runner.run(chosen))
    note(f"{out}: {sdxl.width_px}x{sdxl.height_px} px; {held(tables)}")
    for line in could_see(tables, sdxl):
        note(line)


def with_previews(scenario: Scenario, every: int) -> Scenario:
    """Return a scenario whose policy has a preview made after ``every`` steps (0: none)."""
    if not every:
        return scenario
    if not isinstance(scenario.policy, SplitDenoising):
        raise PolicyError(f"--preview {every}: {scenario.policy_name} makes none")
    return replace(scenario, policy=replace(scenario.policy, preview=every))


def could_see(tables: Tables, sdxl: Sdxl) -> Iterator[str]:
    """Yield what clouds that held the last latents could make of them."""
    latents = tables.holdings().query("tensor == 'latent'")
    for node, done in zip(latents["node"], latents["depth_most"], strict=True):
        if done == sdxl.steps:
            yield f"{node} held the last latent: the public decoder makes the picture of it"
        elif done == sdxl.steps - 1:
            yield f"{node} lacks but the scheduler's last step, a public formula, to the picture"


def status_of(arguments: list[str]) -> int:
    """Run the program on ``arguments``; see `experiments.cli.ending`."""
    return ending.status_of(app, arguments, "python -m experiments.paint")


if __name__ == "__main__":
    ending.end_with(status_of)
