from pathlib import Path

import pytest

from sim.errors import PolicyError
from sim.policies.chain import BestSplit, Local
from sim.policies.registry import ALL_POLICIES, describe, policy_named
from sim.policies.sharded import Sharded


@pytest.mark.parametrize("name", ALL_POLICIES)
def test_every_shipped_policy_is_made_by_its_name_and_described_in_a_line(name) -> None:
    assert callable(policy_named(name).plan)
    assert "\n" not in describe(name)


def test_parameters_are_read_by_their_type() -> None:
    policy = policy_named("sharded/exact:clouds=4,codec=int8,assignment=random,seed=7")
    assert policy == Sharded("exact", "random", "int8", clouds=4, seed=7)
    assert policy_named("best-split:codec=int4") == BestSplit("int4")
    assert policy_named("local") == Local()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lokal", "policy 'lokal' is unknown; did you mean 'local'"),
        ("zzz", r"policy 'zzz' is unknown \('tessera list policies' shows all\)"),
        ("local:egde=x", "unknown parameter 'egde'; did you mean 'edge'"),
        ("local:edge", "'edge' is no 'key=value'"),
        ("sharded/exact:mode=prefix", "unknown parameter 'mode'"),
        ("sharded/exact:clouds=many", "clouds: Input should be a valid integer"),
        ("sharded/exact:clouds=-1", "clouds: -1 is negative"),
        ("sharded/exact:codec=int3", "codec: Input should be 'fp64', 'fp32', 'fp16', 'int8' or"),
        ("none.py", "name the class as well"),
        ("none.py:Mine", "there is no file 'none.py'"),
    ],
)
def test_a_mistake_is_told_in_one_line(spec, words) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        policy_named(spec)
    assert "\n" not in str(caught.value)


def test_a_policy_of_the_user_s_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\n"
        "from sim.policies.chain import Local\n"
        "@dataclass(frozen=True)\n"
        "class Mine(Local):\n"
        "    patience: int = 1\n"
    )
    assert policy_named(f"{file}:Mine:patience=3").patience == 3
    with pytest.raises(PolicyError, match="unknown parameter 'patients'"):
        policy_named(f"{file}:Mine:patients=3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise OSError('no luck')", "raised OSError: no luck"),
        ("this is no python", "raised SyntaxError"),
        ("x = 1", "has no class 'Mine' with a method plan"),
        ("class Mine: pass", "has no class 'Mine' with a method plan"),
        ("import sys; sys.exit(3)", "raised SystemExit: 3"),
        (
            "class Mine:\n def __init__(self, needed): ...\n def plan(self, *_): ...",
            "cannot be made from its parameters: .*missing 1 required positional",
        ),
    ],
)
def test_a_file_that_is_no_policy(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(PolicyError, match=words):
        policy_named(f"{file}:Mine")
