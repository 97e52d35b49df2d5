"""A chat with a model split over processes: its text, its figures, and how it ends."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

import torch

from experiments import chat
from experiments.conversation import Conversation, shown
from experiments.scenarios.loader import load
from real_runner.shards.packages import class_named
from tests.checkpoints import LLAMA, TEMPLATE, llama_folder
from tests.complaints import refused
from tests.experiments.conftest import Ran
from tests.real_runner.programs import environment, processes_of, runs_in
from workloads.errors import WorkloadError
from workloads.llama.text import ByteTokenizer

EXACT = ("--policy", "lambda-split:codec=fp32,draft=2")
INTERACTIVE = (sys.executable, "-m", "experiments.chat")


@pytest.fixture
def chatted(capsys):
    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        status = chat.status_of([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return run


def unsplit(folder: Path, turns: list[str], count: int) -> str:
    """Return what `transformers` answers to a conversation."""
    tokenizer = class_named("transformers", "AutoTokenizer").from_pretrained(folder)
    model = class_named("transformers", "LlamaForCausalLM").from_pretrained(folder)
    messages = [
        {"role": "assistant" if n % 2 else "user", "content": turn} for n, turn in enumerate(turns)
    ]
    prompt = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt"
    )
    with torch.inference_mode():
        every = model.generate(**prompt, max_new_tokens=count, do_sample=False, pad_token_id=0)
    answer = every[0, prompt["input_ids"].shape[1] :]
    return tokenizer.decode(answer, skip_special_tokens=True).rstrip("\ufffd")


def test_a_chat_with_own_weights_is_what_transformers_answers(chatted, tmp_path):
    folder = llama_folder(tmp_path / "mine", TEMPLATE)
    said = ["Hellö", "And then?"]
    ran = chatted(
        "--weights", folder, *EXACT, "--tokens", 25, "--prompt", said[0], "--prompt", said[1]
    )
    first = unsplit(folder, said[:1], 25)
    second = unsplit(folder, [said[0], first, said[1]], 25)
    assert (ran.status, ran.out) == (0, f"{shown(first)}\n{shown(second)}\n")
    assert len(first) > 5
    figures = ran.err.splitlines()
    assert len(figures) == 2
    assert all("held hidden 1-4" in line and "prompt" not in line for line in figures)


def test_small_weights_are_said_to_make_no_sense_and_the_same_seed_writes_the_same(chatted):
    drawing = ("--temperature", 1, "--seed", 5, "--tokens", 12, "--prompt", "Hello")
    ran = chatted(*drawing, "--policy", "lambda-split:codec=fp32")
    assert ran.status == 0
    about, figures = ran.err.splitlines()
    assert "makes no sense" in about
    for words in ("tokens, ", "/s, the first after ", " up, ", " down; ", "held hidden 1-7"):
        assert words in figures
    alone = chatted(*drawing, "--policy", "edge-only")
    assert alone.out == ran.out
    assert alone.err.endswith("no cloud held anything\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--weights", "nowhere"), "--weights nowhere: there is no such folder"),
        (("--weights", "."), "config.json cannot be read"),
        (("--policy", "lambda-slit"), "did you mean 'lambda-split'?"),
        (("--tokens", 5000), "more than the 2048 positions of llama-small"),
        (("--prompt", "x" * 2100), "2101 tokens in and 1 out are more than the 2048 positions"),
        (("--scenario", "small-lama"), "did you mean 'small-llama'"),
        (("--links", "wire"), "there is no such kind"),
        (("--temperature", -1), "temperature"),
        (("--set", "workload.model=sdxl-small"), "means nothing to 'sdxl-small'"),
    ],
)
def test_a_mistake_is_told_in_one_line(chatted, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    asking = () if "--prompt" in arguments else ("--prompt", "Hello")
    ran = chatted(*asking, *arguments)
    told = ran.err.splitlines(keepends=True)
    refused(Ran(ran.status, ran.out.strip(), told[-1]), words)
    assert all("makes no sense" in line for line in told[:-1])


def test_weights_of_another_model_are_told_in_one_line(chatted, tmp_path):
    folder = llama_folder(tmp_path / "mine")
    llama_folder(tmp_path / "other", architecture=replace(LLAMA, hidden=24))
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    ran = chatted("--weights", folder, "--prompt", "Hello")
    refused(Ran(ran.status, ran.out.strip(), ran.err), "has shape (258, 24), wanted (258, 48)")


class Interrupted:
    """A runner of which nobody awaits the end of an answer."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.talk: Conversation

    def run(self, scenario):
        (request,) = scenario.requests(0)
        self.prompts.append(ByteTokenizer().decode(self.talk.asked(request).tokens))
        for place, token in enumerate(ByteTokenizer().encode("né")):
            self.talk.written(request, place, (token,))
        raise KeyboardInterrupt


def conversation(capsys, longest, *said):
    """Return what is asked when ``said`` is, each answer interrupted; and what was printed."""
    scenario = load("small-llama", ["warm_up=0", "workload.requests=1"])
    llama = replace(scenario.workload.model, prompt_tokens=1, output_tokens=longest)
    runner = Interrupted()
    runner.talk = Conversation(scenario, llama, ByteTokenizer(), 0)
    for text in said:
        with pytest.raises(KeyboardInterrupt):
            runner.talk.answer(text, runner)
    return runner, capsys.readouterr()


def test_an_interrupted_answer_is_part_of_what_is_asked_next(capsys):
    runner, printed = conversation(capsys, 10, "Who?", "Why?")
    assert runner.prompts == ["Who?", "Who?\nné\nWhy?"]
    assert printed.out == "né\nné\n"


def test_the_oldest_turns_are_forgotten_where_there_is_no_room_and_that_is_said(capsys):
    runner, printed = conversation(capsys, 1900, "a" * 100, "b" * 60)
    assert runner.prompts[1] == "b" * 60
    assert printed.err.startswith("forgotten, since there are but 2048 positions: aaa")
    with pytest.raises(WorkloadError, match="more than the 2048 positions"):
        runner.talk.answer("c" * 3000, runner)
    with pytest.raises(KeyboardInterrupt):
        runner.talk.answer("d", runner)
    assert runner.prompts[-1] == f"{'b' * 60}\nné\nd", "what was too long was not said"


def test_what_would_command_a_terminal_is_not_shown():
    assert shown("a\x1b[2J\tb\n\x07é") == "a\ufffd[2J\tb\n\ufffdé"


@pytest.mark.long
def test_an_interrupt_ends_the_answer_and_the_end_of_input_the_chat(tmp_path):
    endless = replace(LLAMA, positions=60_000, ends=(LLAMA.vocabulary - 1,))
    folder = llama_folder(tmp_path / "mine", architecture=endless)
    arguments = ("--weights", folder, "--tokens", "50000")
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(
            [*INTERACTIVE, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            env=environment(tmp_path), cwd=tmp_path,
        ) as program,
    ):  # fmt: skip
        try:
            for _ in range(2):
                program.stdin.write(b"Hello\n")
                program.stdin.flush()
                assert len(program.stdout.read(20)) == 20
                (run,) = runs_in(tmp_path)
                assert len(processes_of(run)) > 5
                program.send_signal(signal.SIGINT)
            program.stdin.close()
            assert program.wait(60) == 0
        finally:
            program.kill()
    assert (tmp_path / "errors").read_text().splitlines() == ["stopped", "stopped"]
    assert processes_of(run) == []
    assert runs_in(tmp_path) == []
