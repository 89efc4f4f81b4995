"""What README.md and docs/ name exists: commands, options, settings, files, headings and tests."""

import re
from typing import Any

import pytest
import typer

from api.cli.main import app
from api.cli.options import PATHS
from api.settings import MODEL_VARIABLES, VARIABLES
from api.settings_page import LIBRARIES, page, settings
from tests.docs.pages import PAGES, ROOT, anchors_of, links_of, prose_of, samples_of, text_of

LONGEST_README = 250
OF_OTHER_PROGRAMS = {
    "docs/operations.md": {"--read-only", "--tmpfs", "--rm", "--build-arg"},  # of docker
}
"""Options in the prose and the console samples of a page that belong to another program."""
OF_THE_READER = {"tests/graphs/test_mine.py"}
"""Files that a page tells its reader to write."""
SET_BY_LAMBDA = {"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "_X_AMZN_TRACE_ID"}


def subcommands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def commands() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in subcommands(typer.main.get_command(app)).items():
        within = {f"{name} {second}": one for second, one in subcommands(command).items()}
        found |= within or {name: command}
    return found


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= LONGEST_README


def test_every_command_is_listed_once() -> None:
    listed = re.findall(r"^\| `([a-z -]+?)(?: [A-Z]+)?` \|", text_of("docs/cli.md"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(commands())


def test_the_page_of_the_settings_is_up_to_date() -> None:
    assert text_of("docs/settings.md") == page(), "run make docs"


def test_every_setting_is_listed_once_and_has_a_meaning() -> None:
    listed = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", text_of("docs/settings.md"), flags=re.MULTILINE)
    assert sorted(listed) == sorted([*VARIABLES, *MODEL_VARIABLES, *(setting.name for setting in LIBRARIES)])
    assert all(setting.meaning.endswith(".") for setting in settings())


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    folders = ("quant", "store", "desk", "tools", "agents", "graphs", "api")
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py")]
    pattern = r"environ(?:\.get\(|\[|\.pop\()\s*\"([A-Z_]+)\"|\"([A-Z_]+)\"(?= (?:not )?in os\.environ)"
    read = {first or second for source in sources for first, second in re.findall(pattern, source)}
    assert len(read) > 5
    assert read <= {setting.name for setting in settings()} | SET_BY_LAMBDA


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_a_page_names_exists(name: str) -> None:
    known = {setting.name for setting in settings()} | SET_BY_LAMBDA
    named = set(re.findall(r"`((?:STRATIGOS|MODEL|BUDGET|APPROVE|SAGEMAKER|BEDROCK|COGNITO)_[A-Z_]+)`", text_of(name)))
    assert named <= known


def test_every_setting_that_a_help_text_names_exists() -> None:
    helps = [typer.main.get_command(app).get_help(typer.Context(typer.main.get_command(app)))]
    for command in commands().values():
        options = " ".join(getattr(parameter, "help", None) or "" for parameter in command.params)
        helps.append(" ".join((command.help or "", command.epilog or "", options)))
    named = {name for text in helps for name in re.findall(r"\b(?:STRATIGOS|SAGEMAKER|APPROVE|MODEL)_[A-Z_]+\b", text)}
    assert {"STRATIGOS_SERVER", "SAGEMAKER_IMAGE"} <= named
    assert named <= {setting.name for setting in settings()}


@pytest.mark.parametrize("name", PAGES)
def test_every_option_that_a_page_shows_exists(name: str) -> None:
    known = set(PATHS) | {"--help"} | OF_OTHER_PROGRAMS.get(name, set())
    known |= {option for command in commands().values() for parameter in command.params for option in parameter.opts}
    console = [sample.text for sample in samples_of(name) if sample.language == "console"]  # sh: curl's and Ray's
    ours = [line for text in (prose_of(name), *console) for line in text.splitlines() if not _is_foreign(line)]
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", "\n".join(ours))) <= known


def _is_foreign(line: str) -> bool:
    return bool(re.match(r"\s*(curl|aws|wscat|\w+=\$\(curl)\b", line))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    for target in links_of(name):
        path, _, anchor = target.partition("#")
        leads_to = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert leads_to.exists(), target
        if anchor:
            assert anchor in anchors_of(leads_to.relative_to(ROOT).as_posix()), target


def test_the_index_lists_every_page() -> None:
    listed = {target.partition("#")[0] for target in links_of("docs/README.md")}
    assert {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")} - {"README.md"} <= listed


@pytest.mark.parametrize("name", PAGES)
def test_every_file_of_ours_that_a_page_names_exists(name: str) -> None:
    named = re.findall(
        r"`((?:agents|api|desk|docs|graphs|infra|quant|store|tests|tools)/[\w./-]*)(?:::\w+)?`", prose_of(name)
    )
    missing = [path for path in named if path not in OF_THE_READER and not (ROOT / path).exists()]
    assert missing == []


def test_every_guard_names_code_and_tests_that_exist() -> None:
    guards = text_of("docs/guards.md")
    for path, function in re.findall(r"`([\w/]+\.py)::(\w+)`", guards):
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), path
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", guards)
    assert len(named) > 20
    assert [test for test in named if f"def {test}(" not in tests] == []


def test_the_readme_names_every_folder() -> None:
    (tree,) = [sample.text for sample in samples_of("README.md") if sample.text.startswith("quant/")]
    listed = re.findall(r"^([a-z]+)/ ", tree, flags=re.MULTILINE)
    tracked = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"docs", "infra", "prompts", "tests"}
    assert set(listed) >= tracked
    assert all((ROOT / folder).is_dir() for folder in listed)
