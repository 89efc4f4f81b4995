"""The reference job has the result that it had before, and its code version covers the modules that compute it.

The digests were computed with the code of commit 36e24db, before the modules were moved into packages. A change that
is meant to change results renews them; its commit message says why. To renew one, run the command of its options,
`python -m api optimize OPTION ...`, export the run with `python -m api export last --output RESULT.json`, and take the
digest that `python -m tests.digests RESULT.json` prints.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from desk.base.code_version import FOLDERS
from desk.optimization.result import OptimizationResult
from tests.digests import digest_without_code_version

ROOT = Path(__file__).parents[2]

DEMO = "--trials 100 --paths 1000 --years 5 --stopping budget"
"""The request of `make demo`."""
DEMO_DIGEST = "0ccab5af6752a5217688e9318b8828aab092c679b5280d3b9d7e78ebdaa7debf"

REDUCED = "--trials 12 --paths 150 --years 1 --scenarios base_case,bear_market --stopping budget"
REDUCED_DIGEST = "3d41f8a483e82e8c1726094e1267aa8037ac8b23aa38280b46a341fd43154747"

OUTSIDE_OF_RESULTS = {"agents", "api", "prompts", "store"}
"""Folders that enter no result: an agent's decisions are in the manifest, and the others compute nothing."""


@dataclass(frozen=True)
class Computed:
    result: OptimizationResult
    modules: frozenset[Path]
    """Files of the repository, relative to its root."""


def compute(folder: Path, options: str) -> Computed:
    path = folder / "result.json"
    process = subprocess.run(
        [sys.executable, "-m", "tests.journeys.optimize_process", str(path), *options.split()],
        cwd=ROOT,
        env={**os.environ, "STRATIGOS_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    inside = {Path(line) for line in process.stdout.splitlines() if Path(line).is_relative_to(ROOT)}
    modules = {path.relative_to(ROOT) for path in inside}
    return Computed(
        result=OptimizationResult.model_validate_json(path.read_bytes()),
        modules=frozenset(path for path in modules if path.parts[0] not in {".venv", "tests"}),
    )


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    return compute(tmp_path_factory.mktemp("reduced"), REDUCED)


def test_the_reduced_reference_job_has_the_digest_it_had_before(reduced: Computed) -> None:
    assert digest_without_code_version(reduced.result) == REDUCED_DIGEST


@pytest.mark.soak
def test_the_reference_job_has_the_digest_it_had_before(tmp_path: Path) -> None:
    assert digest_without_code_version(compute(tmp_path, DEMO).result) == DEMO_DIGEST


def test_the_code_version_covers_every_module_that_the_job_imports(reduced: Computed) -> None:
    imported = {path.parts[0] for path in reduced.modules}
    assert imported - OUTSIDE_OF_RESULTS == set(FOLDERS)
