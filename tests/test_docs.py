"""What the README and docs/ show is true: Python runs, commands and their flags exist, links lead somewhere."""

from __future__ import annotations

import functools
import importlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import kinema
from kinema import cli
from kinema.world_model import shipped

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

_FENCE = re.compile(r"(?P<run><!-- run -->\s*\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    text: str
    line: int
    run: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(m["language"], m["text"], text[: m.start("text")].count("\n"), bool(m["run"])) for m in _FENCE.finditer(text)]


def commands(page: Path, *, run: bool | None = None) -> Iterator[list[str]]:
    for block in blocks(page):
        if block.language == "console" and run in (None, block.run):
            for line in block.text.replace("\\\n", " ").splitlines():
                assert line.startswith("$ "), f"{page.name}: {line!r} is no command"
                yield shlex.split(line[2:], comments=True)


def links(page: Path) -> list[str]:
    found: list[str] = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    return [target for target in found if "://" not in target]


@each_page
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language != "python":
            continue
        if 'from_pretrained("planar")' in block.text and "planar" not in shipped():
            pytest.skip("the model that ships is not here")
        exec(compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True), space)


@each_page
def test_marked_commands_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(page, run=True):
        assert words[0] == "kinema"
        assert cli.main(words[1:]) == 0, " ".join(words)


@each_page
def test_commands_and_flags_exist(page: Path) -> None:
    for words in commands(page):
        _check(_without_environment(words))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / target).resolve() for target in links(ROOT / "README.md")}
    assert {page.resolve() for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_readme_names_every_package() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    source = Path(kinema.__file__).parent
    for package in sorted(path.parent.name for path in source.glob("*/__init__.py")):
        assert re.search(rf"^ +{package}/", text, re.MULTILINE), f"the README's tree lacks {package}/"


def test_every_part_is_in_the_table_of_parts() -> None:
    text = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
    packages = ("core", "simulators", "experts", "codecs", "models", "objectives", "conditions", "metrics", "sampling", "data", "training")
    for package in packages:
        module = importlib.import_module(f"kinema.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and "__kinema_part__" in vars(value) and not getattr(value, "__abstractmethods__", None):
                assert f"`{name}`" in text, f"docs/parts.md lacks {package}.{name}"


def test_the_scene_of_the_page_can_be_simulated() -> None:
    from kinema.simulators.spatial import read_scene

    found = [block for block in blocks(ROOT / "docs" / "spatial.md") if block.language == "json"]
    assert found
    for block in found:
        world = read_scene(json.loads(block.text))
        assert world.cameras == len(world.given.views)


def _without_environment(words: list[str]) -> list[str]:
    return _without_environment(words[1:]) if re.fullmatch(r"[A-Z_]+=.*", words[0]) else words


def _check(words: list[str]) -> None:
    """Raise unless the command is one, down to the values of its flags; nothing of it is run."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[0] == "torchrun":
        assert words[words.index("-m") + 1] == "kinema"
        _check(words[words.index("-m") + 1 :])
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
    elif words[0] in ("git", "cd"):
        pass
    else:
        assert words[0] == "kinema", f"unknown command {words[0]!r}"
        _parse(words[1:])


def _parse(words: list[str]) -> None:
    name, *rest = words
    assert name in cli.COMMANDS
    module = importlib.import_module(f"kinema.cli.{name}")
    function = module.VERBS[verb := rest.pop(0)] if hasattr(module, "VERBS") else module.main
    if hasattr(module, "variant"):
        function, rest = module.variant(verb, rest)
    try:
        assert cli._call(_nothing_like(function), rest, f"kinema {name}") == 0
    except SystemExit as error:
        pytest.fail(f"kinema {shlex.join(words)}: {error}")


def _nothing_like(function: Callable[..., Any]) -> Callable[..., int]:
    """A function of the same arguments that does nothing."""

    @functools.wraps(function)
    def nothing(*args: Any, **kwargs: Any) -> int:
        return 0

    return nothing
