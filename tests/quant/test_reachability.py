"""Every public name of quant serves a command, a route or a tool, or says why it does not."""

from pathlib import Path

import pytest

from tests.reachable_names import SourceTree

ROOT = Path(__file__).parents[2]
FOLDERS = ("quant", "desk", "tools", "prompts", "agents", "graphs", "api")
ENTRIES = ("api.cli.commands", "api.http.routes", "tools")

CALIBRATION = "scenarios of single assets; a request fits its engines and worlds to the mix"
BOND = "yields on whole paths; the strategy kernel draws the bond block by block"
OWN_RULE = "the published test of the highest Sharpe ratio; the verdict tests the search's own rule"
KERNEL = "for one series; the strategy kernel computes the same day by day"

LIBRARY_ONLY = {
    "quant.covariance.denoising.denoise": "for a covariance at hand; the desk estimates its own from returns",
    "quant.overfitting.cscv.OverfittingProbability": OWN_RULE,
    "quant.overfitting.cscv.probability_of_overfitting": OWN_RULE,
    "quant.overfitting.track_record.minimum_backtest_length": "for planning; the verdict judges a record at hand",
    "quant.strategies.objective.paired_error": "for two series; finalists are compared from sums over all paths",
    "quant.volatility.garch.forecast": KERNEL,
    "quant.volatility.garch.garch_volatility": KERNEL,
    "quant.wealth.montecarlo.Trajectory": "one path with its cash flows; the desk stores the closes of many",
    "quant.wealth.montecarlo.trajectory": "one path with its cash flows; the desk stores the closes of many",
    "quant.worlds.bond.BondPaths": BOND,
    "quant.worlds.bond_proxy.bond_history": "for a stated duration; the desk exchanges its bond at par every day",
    "quant.worlds.bond.bond_paths": BOND,
    "quant.worlds.calibration.empirical_scenario": CALIBRATION,
    "quant.worlds.calibration.shocked_scenarios": CALIBRATION,
    "quant.worlds.joint.sample_joint": "whole paths as arrays; the wealth kernel draws each day as it needs it",
}
"""Public names of quant that no command, route or tool reaches, each with its reason."""


def unreached(root: Path, package: str, folders: tuple[str, ...], entries: tuple[str, ...]) -> set[str]:
    tree = SourceTree(root, folders)
    return {f"{module}.{name}" for module, name in tree.exports(package) - tree.reached(entries)}


def test_every_public_name_of_quant_is_reached_or_has_a_reason() -> None:
    names = unreached(ROOT, "quant", FOLDERS, ENTRIES)
    assert sorted(names - LIBRARY_ONLY.keys()) == [], "wire these, or list them with a reason"
    assert sorted(LIBRARY_ONLY.keys() - names) == [], "these are reached by now; take them off the list"


CORE = """
from typing import TYPE_CHECKING
from core.lazy import lazy_exports
if TYPE_CHECKING:
    from core.risk.tails import Tail, planted, used
else:
    __getattr__ = lazy_exports(__name__)
__all__ = ["Tail", "planted", "used"]
"""
TAILS = """
class Tail:
    def loss(self): return 0.0

def used(): return Tail()

def planted(): return used()
"""
MIDDLE = """
from core import risk
from core.risk import used

def assess(): return used()

def everything(): return used(), risk.planted()

def other(): return 1
"""


def unreached_of(root: Path, middle: str, entry: str) -> set[str]:
    """Names that the modules of `entry` do not reach in a tree of three layers."""
    sources = {"core/risk/__init__": CORE, "core/risk/tails": TAILS, "middle/report": middle, "entry/route": entry}
    for path, text in sources.items():
        file = (root / path).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return {name.rpartition(".")[2] for name in unreached(root, "core", ("core", "middle", "entry"), ("entry",))}


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("from middle.report import assess\ndef route(): return assess()", {"planted"}),
        ("def route():\n    from middle.report import assess\n    return assess()", {"planted"}),
        ("import middle.report\ndef route(): return middle.report.assess()", {"planted"}),
        ("from middle import report\nTABLE = {'risk': report.assess}", {"planted"}),
        ("from middle.report import other\ndef route(): return other()", {"Tail", "planted", "used"}),
        ("from middle import report\ndef route(): return report.other()", {"Tail", "planted", "used"}),
        ("from middle.report import everything\ndef route(): return everything()", set[str]()),
        ("", {"Tail", "planted", "used"}),
    ],
)
def test_a_planted_function_that_no_entry_reaches_is_named(tmp_path: Path, entry: str, names: set[str]) -> None:
    assert unreached_of(tmp_path, MIDDLE, entry) == names


def test_a_module_that_is_imported_executes_its_statements(tmp_path: Path) -> None:
    middle = "from core.risk import planted\nfor _ in (): planted()"
    assert unreached_of(tmp_path, middle, "") == {"Tail", "planted", "used"}
    assert unreached_of(tmp_path, middle, "import middle.report") == set()
