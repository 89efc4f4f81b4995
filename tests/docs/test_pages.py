"""What README.md and docs/ name exists: commands, options, settings, files, headings and tests."""

import pkgutil
import re
from typing import Any, get_args

import pytest
import typer

from api import settings_page, strategies_page
from api.cli.main import app
from api.cli.options import PATHS
from api.settings import MODEL_VARIABLES, VARIABLES
from api.settings_page import LIBRARIES, settings
from quant.strategies.goal import DEFAULT_GOAL, Goal
from tests.api.http.application import document
from tests.docs.pages import PAGES, ROOT, anchors_of, links_of, prose_of, samples_of, text_of
from tests.python_names import defined_names

LONGEST_README = 250
OF_OTHER_PROGRAMS = {
    "docs/deployment.md": {"--cloudformation-execution-policies", "--dry-run", "--without"},  # of cdk and infra
    "docs/operations.md": {
        *("--read-only", "--tmpfs", "--rm", "--build-arg", "--platform"),  # of docker
        "--group",  # of uv
    },
}
"""Options in the prose and the console samples of a page that belong to another program."""
OF_THE_READER = {"tests/graphs/test_mine.py"}
"""Files that a page tells its reader to write."""
SET_BY_LAMBDA = {"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "_X_AMZN_TRACE_ID"}
OF_OTHERS = {
    *("RESPONSE_STREAM", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"),  # of AWS
    *("BIND_HOST", "GATEWAY_PORT", "IOT_MTLS_ENABLED"),  # of MiniStack
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"),  # of OpenTelemetry
    "IMAGE_ROOT",  # of a test of the image
}
"""Names in capitals on the pages that are no settings of Stratigos."""
TERMS_OF_THE_VERDICT = (
    *("verdict", "luck", "benefit", "constant weight", "volatility", "timing", "drawdown"),
    *("monte carlo error", "interval"),
    *("scenario", "path", "validat", "in sample", "limit", "configuration", "worlds", "weight"),
    *("basis point", "result digest"),
)
OURS = "(?:quant|store|desk|tools|prompts|agents|graphs|api)"
OUTSIDE_THE_DOCUMENT = ["/docs", "/openapi.json", "/sockets", "/runs/[^/]+/events/ws"]
"""Routes that OpenAPI cannot describe: its own pages and WebSockets; `/sockets` is one of API Gateway."""


def subcommands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def commands() -> dict[str, Any]:
    """Commands by name, those of a group as `group command`."""
    leaves: dict[str, Any] = {}
    for name, command in subcommands(typer.main.get_command(app)).items():
        inner = {f"{name} {second}": one for second, one in subcommands(command).items()}
        leaves |= inner or {name: command}
    return leaves


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= LONGEST_README


def test_every_command_is_listed_once() -> None:
    listed = re.findall(r"^\| `([a-z -]+?)(?: [A-Z]+)?` \|", text_of("docs/cli.md"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(commands())


@pytest.mark.parametrize(("name", "program"), [("settings", settings_page), ("strategies", strategies_page)])
def test_the_generated_pages_are_up_to_date(name: str, program: Any) -> None:
    assert text_of(f"docs/{name}.md") == program.page(), "run make docs"


def test_every_setting_is_listed_once_and_has_a_meaning() -> None:
    listed = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", text_of("docs/settings.md"), flags=re.MULTILINE)
    assert sorted(listed) == sorted([*VARIABLES, *MODEL_VARIABLES, *(setting.name for setting in LIBRARIES)])
    assert all(setting.meaning.endswith(".") for setting in settings())


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    folders = ("quant", "store", "desk", "tools", "agents", "graphs", "api")
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py")]
    pattern = r"environ(?:\.get\(|\[|\.pop\()\s*\"([A-Z_]+)\"|\"([A-Z_]+)\"(?= (?:not )?in os\.environ)"
    variables = {first or second for source in sources for first, second in re.findall(pattern, source)}
    assert len(variables) > 5
    assert variables <= {setting.name for setting in settings()} | SET_BY_LAMBDA


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_a_page_names_exists(name: str) -> None:
    accepted = {setting.name for setting in settings()} | SET_BY_LAMBDA | OF_OTHERS
    variables = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", prose_of(name)))
    for sample in samples_of(name):
        variables |= set(re.findall(r"(?<![\w$])([A-Z][A-Z0-9]*_[A-Z0-9_]+)=", sample.text))
    assert variables <= accepted


def test_every_setting_that_a_help_text_names_exists() -> None:
    helps = [typer.main.get_command(app).get_help(typer.Context(typer.main.get_command(app)))]
    for command in commands().values():
        options = " ".join(getattr(parameter, "help", None) or "" for parameter in command.params)
        helps.append(" ".join((command.help or "", command.epilog or "", options)))
    pattern = r"\b(?:STRATIGOS|SAGEMAKER|APPROVE|MODEL)_[A-Z_]+\b"
    variables = {name for text in helps for name in re.findall(pattern, text)}
    assert {"STRATIGOS_SERVER", "SAGEMAKER_IMAGE"} <= variables
    assert variables <= {setting.name for setting in settings()}


@pytest.mark.parametrize("name", PAGES)
def test_every_option_that_a_page_shows_exists(name: str) -> None:
    accepted = set(PATHS) | {"--help"} | OF_OTHER_PROGRAMS.get(name, set())
    accepted |= {option for command in commands().values() for parameter in command.params for option in parameter.opts}
    console = [sample.text for sample in samples_of(name) if sample.language == "console"]  # sh: curl's and Ray's
    ours = [line for text in (prose_of(name), *console) for line in text.splitlines() if not _is_foreign(line)]
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", "\n".join(ours))) <= accepted


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
    paths = re.findall(
        r"`((?:agents|api|desk|docs|graphs|infra|quant|store|tests|tools)/[\w./-]*)(?:::\w+)?`", prose_of(name)
    )
    missing = [path for path in paths if path not in OF_THE_READER and not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_every_name_of_a_file_that_a_page_gives_is_defined_there(name: str) -> None:
    names = re.findall(r"`([\w/]+\.py)::(\w+)`", prose_of(name))
    assert [(path, defined) for path, defined in names if defined not in defined_names(ROOT / path)] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_module_that_a_page_names_exists(name: str) -> None:
    """Dotted names in the prose, and the imports of samples, those of here-documents included."""
    modules = re.findall(rf"`({OURS}(?:\.\w+)+)`", prose_of(name))
    for sample in samples_of(name):
        modules += re.findall(rf"-m ({OURS}\.[\w.]+)", sample.text)
        for module, names in re.findall(rf"^from ({OURS}[\w.]*) import ([\w, ]+)$", sample.text, re.MULTILINE):
            modules += [f"{module}.{imported.strip()}" for imported in names.split(",")]
    for module in modules:
        pkgutil.resolve_name(module)


@pytest.mark.parametrize("name", PAGES)
def test_every_route_that_a_page_names_exists(name: str) -> None:
    """Addresses below `$API` and `/api` in prose and samples; a variable of a sample fills a parameter of a route."""
    text = text_of(name).replace("127.0.0.1:8000/api", "$API")
    routes = re.findall(r"\$API(/[\w/$-]+)", text) + re.findall(r"`(?:[A-Z]+ )?(?:/api)(/[\w/$-]+)`", text)
    if name == "docs/http-api.md":
        routes += re.findall(r"`(?:[A-Z]+ )?(/(?!api\b)[\w/$-]+)`", text)
    patterns = [re.sub(r"\{\w+\}", "[^/]+", path.removeprefix("/api")) for path in document()["paths"]]
    patterns += OUTSIDE_THE_DOCUMENT
    assert [route for route in routes if not any(re.fullmatch(pattern, route) for pattern in patterns)] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_prose_names_exists(name: str) -> None:
    """Targets of make, and the second word of commands that come in groups."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", prose_of(name)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    groups = {command.partition(" ")[0] for command in commands() if " " in command}
    pairs = re.findall(rf"`(?:python -m api )?((?:{'|'.join(sorted(groups))}) [a-z]+)", prose_of(name))
    assert set(pairs) <= set(commands())


def test_every_guard_names_tests_that_exist() -> None:
    guards = text_of("docs/guards.md")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", guards)
    assert len(names) > 20
    assert [test for test in names if f"def {test}(" not in tests] == []


def test_the_glossary_defines_every_term_of_the_verdict_in_the_readme() -> None:
    _, _, rest = text_of("README.md").partition("## What the demo prints")
    verdict, _, _ = rest.partition("## Use it")
    words = " ".join(verdict.lower().replace("in-sample", "in sample").split())
    glossary = text_of("docs/glossary.md").lower()
    entries = " ".join(re.findall(r"^\*\*([^*]+)\*\*:", glossary, re.MULTILINE))
    assert [term for term in TERMS_OF_THE_VERDICT if term not in words] == [], "not in the README"
    assert [term for term in TERMS_OF_THE_VERDICT if term not in entries] == [], "not in the glossary"
    assert all(f"*{colour}*" in glossary for colour in ("green", "amber", "red", "infeasible"))


def test_the_readme_names_every_folder() -> None:
    (tree,) = [sample.text for sample in samples_of("README.md") if sample.text.startswith("quant/")]
    listed = re.findall(r"^([a-z]+)/ ", tree, flags=re.MULTILINE)
    tracked = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"docs", "infra", "prompts", "tests"}
    assert set(listed) >= tracked
    assert all((ROOT / folder).is_dir() for folder in listed)


def test_the_glossary_names_the_default_goal_and_defines_each() -> None:
    glossary = text_of("docs/glossary.md")
    assert f"*{DEFAULT_GOAL}* (the default)" in glossary
    assert [goal for goal in get_args(Goal) if f"*{goal}*" not in glossary] == []
