"""The documentation: followed as a reader would, built strictly, and read without a network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.inside.means import tun
from tests.experiments.reports.browsing import browsing
from tests.reading import KINDS, ROOT, Guide, typed

PAGES = ROOT / "docs" / "pages"
GUIDES = {str(path.relative_to(PAGES)): Guide(path) for path in sorted(PAGES.rglob("*.md"))}
FOLLOWED = [name for name, guide in GUIDES.items() if guide.files or list(guide.in_order())]
DILATION = re.compile(r"(?<=--dilation )\d+")
LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s\">]+")


@pytest.mark.long
@pytest.mark.parametrize("name", FOLLOWED)
def test_what_a_page_says_to_save_and_to_type_works_in_that_order(
    name: str, tmp_path: Path
) -> None:
    guide = GUIDES[name]
    guide.save(tmp_path)
    for file in guide.files:
        assert guide.uses(file), f"{name}: nothing uses {file}"
    for command, printed in guide.in_order():
        if "--links auto" in command and (remedy := tun().remedy):
            pytest.skip(f"as far as emulation it works: {remedy}")
        output = ran(command, tmp_path)
        assert output, command
        if printed is not None:
            assert output.strip() == printed.strip()


def ran(command: str, folder: Path) -> str:
    """Type a command; a run that prints nothing was refused, and asks for a larger dilation."""
    output = typed(command, folder)
    for _ in range(3):
        if output or not DILATION.search(command):
            break
        command = DILATION.sub(lambda factor: str(2 * int(factor.group())), command)
        output = typed(command, folder)
    return output


@pytest.mark.parametrize("name", GUIDES)
def test_every_block_of_a_page_is_shown_saved_or_typed(name: str) -> None:
    for fence in GUIDES[name].fences:
        assert fence.info in KINDS
        assert fence.info not in {"python", "yaml"} or fence.content in GUIDES[name].files.values()


def built(docs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the documentation as ``make docs`` does, so that any warning ends it."""
    mkdocs = Path(sys.executable).with_name("mkdocs")
    command = [mkdocs, "build", "--strict", "--site-dir", folder, "--config-file"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [*command, docs / "mkdocs.yml"], capture_output=True, text=True, check=False, env=quiet
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = built(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_link_to_nowhere_ends_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(
        ROOT / "docs", docs, ignore=shutil.ignore_patterns("python", "how-to", "models")
    )
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (docs / "pages" / "index.md").write_text("# Here\n\n[there](nowhere.md)\n", encoding="utf-8")
    done = built(docs, tmp_path / "site")
    assert done.returncode == 1
    assert "'nowhere.md', but the target is not found" in done.stderr


def test_a_page_for_every_command_policy_and_column(site: Path) -> None:
    from experiments.cli.main import app
    from sim.policies.registry import ALL_POLICIES
    from sim.tables import REQUEST_COLUMNS, STEP_COLUMNS

    reference = site / "reference"
    commands = [each.name for each in app.registered_commands]
    for page, words in (
        ("commands", [f"tessera {name}" for name in commands]),
        ("policies", list(ALL_POLICIES)),
        ("results", [*REQUEST_COLUMNS, *STEP_COLUMNS]),
    ):
        text = (reference / f"{page}.html").read_text(encoding="utf-8")
        assert [word for word in words if word not in text] == []


def test_doctests_and_drawn_tables_of_docstrings_are_blocks_of_code(site: Path) -> None:
    pages = {path.stem: path.read_text("utf-8") for path in site.glob("reference/python/*.html")}
    assert [name for name, page in pages.items() if "<blockquote>" in page] == []
    blocks = re.findall("<pre>.*?</pre>", pages["runs"], re.DOTALL)
    assert [block for block in blocks if "====== =====" in block and "recover" in block]


def test_no_page_names_anything_to_load_from_a_network(site: Path) -> None:
    found = [
        hit for page in site.rglob("*.html") for hit in LOADED.findall(page.read_text("utf-8"))
    ]
    assert found == []


def test_a_reader_without_a_network_finds_a_page_by_searching(site: Path) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    with browsing() as browser:
        page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("dilation")
        page.locator(".md-search-result__link").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
