"""A chat whose middle layers run in another process: no cloud gets a word that is said.

Run it as ``python -m experiments.chat [--weights FOLDER] [--prompt TEXT]``, or copy it: a scenario
of one request after another, a tokenizer, and two functions that the real runner calls: one tells
what is asked, one prints the answer as it comes. Ctrl-C ends an answer, Ctrl-D the chat.
"""

import sys
from typing import Annotated

import typer
from rich.filesize import decimal

from experiments.asking import (
    SeedOption,
    TopologyName,
    WeightsFolder,
    held,
    note,
    setting,
    world_of,
)
from experiments.cli import ending
from experiments.cli.inside import LinksOption, settle
from experiments.cli.options import Settings
from experiments.cli.run import CredentialsFolder, Inventory
from experiments.conversation import Conversation
from experiments.extras import needs
from experiments.workplaces import Links, open_runner
from sim.policies.generating import llama_of
from sim.tables import Tables
from workloads.errors import WorkloadError

PROGRAM = "from experiments import chat; chat.ending.end_with(chat.status_of)"
SMALL = "llama-small"
app = ending.program_of("Chat with a Llama whose middle layers run in another process.")


@app.command()
def chat(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    weights: WeightsFolder = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="Ask this and exit; may be repeated.")
    ] = None,
    policy: Annotated[str, typer.Option(help="NAME[:key=value,…]")] = "lambda-split",
    tokens: Annotated[int, typer.Option(help="The longest answer.")] = 200,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest token.")] = 0.0,
    top_p: Annotated[float, typer.Option("--top-p")] = 1.0,
    seed: SeedOption = 0,
    scenario: Annotated[str, typer.Option(help="Whose nodes write.")] = "small-llama",
    topology: TopologyName = None,
    links: LinksOption = Links.LOOPBACK.value,
    inventory: Inventory = None,
    credentials: CredentialsFolder = None,
    settings: Settings = None,
) -> None:
    """Chat with a Llama whose middle layers run in another process.

    Example: python -m experiments.chat --weights llama-2-7b-chat --policy lambda-split:draft=4
    """
    kind = settle(context.obj, links, program=PROGRAM)
    sampling = {"temperature": temperature, "top_p": top_p, "stop": True}
    world = world_of(scenario, topology, weights, policy, (
        setting("workload.model", str((weights / "config.json").resolve()) if weights else SMALL),
        setting("workload.text.prompt_tokens", 1),
        setting("workload.text.output_tokens", tokens),
        setting("workload.text.sampling", sampling),
        *(settings or ()),
    ))  # fmt: skip
    with needs("real"):
        from real_runner.shards.llama.tokenizer import tokenizer_for  # noqa: PLC0415 - an extra
    llama, folder = llama_of(world.scenario.workload.model), world.deployment.weights
    tokenizer = tokenizer_for(folder, llama.architecture)
    talk = Conversation(world.scenario, llama, tokenizer, seed)
    if folder is None:
        note(f"{llama.name} has drawn weights: what it writes makes no sense.")
    with open_runner(
        kind, world.deployment, inventory=inventory, credentials=credentials,
        asking=talk.asked, written=talk.written,
    ) as runner:  # fmt: skip
        for text in prompt or ():
            note(figures(talk.answer(text, runner)))
        while not prompt and (said := heard()):
            try:
                note(figures(talk.answer(said, runner)))
            except KeyboardInterrupt:
                note("stopped")
            except WorkloadError as error:
                note(str(error))


def figures(tables: Tables) -> str:
    """Return how an answer came, and what each cloud held of it, in one line."""
    (row,) = tables.requests().to_dict("records")
    return (
        f"{row['tokens']:.0f} tokens, {row['tokens'] / row['latency_s']:.1f}/s, the first after "
        f"{row['first_token_s'] * 1e3:.0f} ms; {decimal(round(row['bytes_up']))} up, "
        f"{decimal(round(row['bytes_down']))} down; {held(tables)}"
    )


def heard() -> str:
    """Return what the user says next; nothing where that was all."""
    try:
        while not (said := input("> " if sys.stdin.isatty() else "").strip()):
            pass
    except (EOFError, KeyboardInterrupt):
        return ""
    return said


def status_of(arguments: list[str]) -> int:
    """Run the program on ``arguments``; see `experiments.cli.ending`."""
    return ending.status_of(app, arguments, "python -m experiments.chat")


if __name__ == "__main__":
    ending.end_with(status_of)
