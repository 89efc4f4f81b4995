import re
from pathlib import Path
from typing import Any

import pytest
import typer

from api.cli import app
from api.options import PATHS
from api.settings import MODEL_VARIABLES
from api.settings import VARIABLES as SETTINGS

VARIABLES = [*SETTINGS, *MODEL_VARIABLES]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def inner(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def commands():
    for name, command in inner(typer.main.get_command(app)).items():
        yield from [f"{name} {second}" for second in inner(command)] or [name]


def test_every_command_is_in_the_readme():
    listed = re.findall(r"^\| `([a-z -]+?)(?: [A-Z]+)?` \|", README, flags=re.MULTILINE)
    assert set(commands()) <= set(listed)


@pytest.mark.parametrize("variable", [*VARIABLES, "STRATIGOS_KERNEL_CACHE", "NUMBA_NUM_THREADS"])
def test_every_setting_is_in_the_readme(variable):
    assert f"| `{variable}` |" in README


def test_every_variable_that_the_code_reads_is_in_the_readme():
    sources = [
        p for folder in ("quant", "store", "tools", "agents", "graphs", "api") for p in (ROOT / folder).rglob("*.py")
    ]
    read = {name for p in sources for name in re.findall(r"environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"", p.read_text())}
    assert read <= {
        *VARIABLES,
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_RUNTIME_API",  # which Lambda itself sets
        "_X_AMZN_TRACE_ID",
        "STRATIGOS_KERNEL_CACHE",
        "NUMBA_NUM_THREADS",
        "RAY_ADDRESS",
        "RAY_USE_TLS",
    }


def test_every_option_the_readme_shows_exists():
    first = inner(typer.main.get_command(app))
    known = set(PATHS)
    for one in (*first.values(), *(second for each in first.values() for second in inner(each).values())):
        known |= {name for parameter in one.params for name in parameter.opts}
    ours = re.sub(r"^```sh\n.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)  # the others are Ray's and curl's
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", ours)) - {"--help"}
    assert shown <= known


def test_every_link_of_the_readme_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
