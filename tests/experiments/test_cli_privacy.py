"""``tessera privacy`` as a user types it, on few pictures."""

import json
import shutil
from importlib.util import find_spec

import pytest
from PIL import Image

pytest.importorskip("torch", reason="pip install 'tessera[real]'")

from experiments.cli.main import status_of
from experiments.laboratory.privacy import sitting
from real_runner.shards import weights
from real_runner.shards.saving import save
from tests.computing import one_thread
from tests.experiments.few import PROTOCOL
from workloads.catalogue import model_named

pytestmark = pytest.mark.skipif(not find_spec("torchmetrics"), reason="pip install 'tessera[lab]'")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("privacy")
    (folder / "few.yaml").write_text(PROTOCOL)
    variant = model_named("sam-small").variant
    save(weights.drawn(variant, 0), folder / "w.safetensors")
    return folder


def command(places, *options):
    protocol, path = str(places / "few.yaml"), str(places / "w.safetensors")
    return ["privacy", "small-sam", "--protocol", protocol, "--weights", path, *options]


def status(words):
    with one_thread():
        return status_of(words)


@pytest.mark.long
def test_from_thresholds_to_the_verdict(places, capsys, monkeypatch):
    deferred, exact = (
        "sharded/deferred:assignment=round-robin",
        "sharded/exact:assignment=round-robin",
    )
    asked = command(places, "--policy", deferred, "--policy", exact, "--out", str(places / "out"))
    assert status(asked) == 2
    assert "thresholds.yaml: cannot be read" in capsys.readouterr().err
    assert not (places / "out").exists()

    assert status(command(places, "--freeze")) == 0
    assert "A success has an SSIM of" in capsys.readouterr().out
    assert status(command(places, "--freeze")) == 2
    assert "is frozen already" in capsys.readouterr().err

    assert status(command(places, "--policy", "local")) == 2
    assert "nothing to attack; leave it out" in capsys.readouterr().err
    assert status([*asked, "--policy", "local", "--json"]) == 0
    found = {each["policy"]: each for each in json.loads(capsys.readouterr().out)["policies"]}
    for spec in (deferred, exact):
        each = found[spec]
        assert {row["k"] for row in each["together"]} == {2, 4}
        assert {row["frames"] for row in each["frames"]} == {1, 4}
        assert {"A2", "A3", "A4", "A5", "A0 linear"} <= {row["attack"] for row in each["alone"]}
        assert len({row["who"] for row in each["shown"]}) == 4
        assert each["pixels"] == pytest.approx(0.25, abs=0.2)
        assert {row["attribute"] for row in each["meaning"]} == {"mood", "largest hue", "secret"}
        (placed,) = each["placed"]
        assert (placed["windows"], placed["chance"]) == (16, 1 / 16)
        assert 1 / 16 < placed["mean"] <= 1
        everyone = [row for row in each["together"] if row["k"] == 4]
        assert all(row["identified"] == row["pictures"] for row in everyone)

    figures = sorted(path.name for path in (places / "out").glob("*.png"))
    assert figures == [
        f"sharded-{mode}-assignment-round-robin.png" for mode in ("deferred", "exact")
    ]
    with Image.open(places / "out" / figures[0]) as figure:
        assert figure.size == (5 * 198, 6 * 198 + 18)  # five columns, six pictures

    files = written(places / "out")
    assert status(asked) == 0
    said = capsys.readouterr().out
    assert "What the worst cloud can do" in said
    assert files == written(places / "out")

    tables = [*(places / "out").glob("*-alone-*"), *(places / "out").glob("*-frames-*")]
    assert len(tables) == 4
    for table in tables:
        table.unlink()
    monkeypatch.setattr(sitting, "judge", None)  # attacks that are done are not tried again
    assert status(asked) == 0
    assert capsys.readouterr().out == said


def written(folder):
    """When each table and figure was written."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.suffix != ".json"}


@pytest.mark.long
def test_the_table_puts_accuracy_privacy_latency_and_cost_side_by_side(places, capsys, tmp_path):
    for name in ("few.yaml", "w.safetensors"):
        shutil.copy(places / name, tmp_path / name)
    assert status(command(tmp_path, "--freeze")) == 0
    capsys.readouterr()
    local, exact = "local", "sharded/exact:assignment=round-robin"
    asked = ["tradeoff", *command(tmp_path)[1:], "--scenes", "3", "--policy", exact]
    asked += ["--policy", local, "--timing", "small-sam", "--out", str(tmp_path / "out")]
    assert status([*asked, "--until-missed"]) == 0
    brief, quick = capsys.readouterr().out, written(tmp_path / "out")
    assert "no others were tried" in " ".join(brief.split())
    assert sum("A2-shown" in path.name for path in quick) == 1  # of four: it misses for sure
    assert sum("A4" in path.name for path in quick) == 1
    assert not any("frames" in path.name or "A3" in path.name for path in quick)

    assert status([*asked, "--json"]) == 0
    assert written(tmp_path / "out").items() > quick.items()  # on from there
    found = json.loads(capsys.readouterr().out)
    (row,) = found["rows"]
    assert row["policy"] == exact
    assert row["at_least"] is False
    assert row["kept"]["value"] == pytest.approx(1.0, abs=0.01)
    assert 0 < row["p50_s"] <= row["p99_s"]
    assert row["front"] is True
    limits = found["limits"]
    assert (limits["kept"], limits["attacked"]) == (0.9, 0.05)

    assert status([*asked, "--until-missed"]) == 0  # nothing is measured again, or forgotten
    said = capsys.readouterr().out
    assert "≥ " not in said
    assert "None meets all three. The smallest gap has sharded/exact" in said
    assert "local: no cloud receives or sends anything" in said


def test_of_a_language_model_it_tells_what_of_texts_is_recovered(places, capsys):
    asked = ["privacy", "small-llama", "--protocol", str(places / "few.yaml")]
    assert status([*asked, "--policy", "lambda-split:codec=int8", "--json"]) == 0
    rows = {row["attack"]: row for row in json.loads(capsys.readouterr().out)["recovered"]}
    assert set(rows) == {"A10 nearest", "A10 trained", "A10 sequential", "A11 lens"}
    assert rows["A10 sequential"]["exact"] == rows["A10 sequential"]["texts"] == 4
    assert rows["A10 sequential"]["secrets"] == rows["A10 sequential"]["rouge_l"] == 1.0
    assert rows["A11 lens"]["side"] == "output"
    for option in (["--freeze"], ["--tuned", "deferred=x"]):
        assert status([*asked, *option]) == 2
        assert (
            f"{option[0]}: is of pictures, and 'llama-small' writes text" in capsys.readouterr().err
        )
    assert status([*asked, "--policy", "edge-only"]) == 2
    complaint = capsys.readouterr().err
    assert "edge-only: no split of a text model; use lambda-split" in complaint
    assert complaint.count("\n") == 1
