"""The configuration of each stage: dev, staging, prod, and any number of ephemeral ones."""

import os
import re
from dataclasses import dataclass, replace
from typing import Literal

APPLICATION = "stratigos"
STAGE_NAME = re.compile(r"[a-z][a-z0-9]{1,11}")
EDGE_REGION = "us-east-1"
"""CloudFront reads its firewall and its certificate from this region only."""
EXAMPLE_ACCOUNT = "111111111111"
"""Stands in templates that are checked without an account."""


@dataclass(frozen=True)
class Domain:
    """A domain whose hosted zone exists."""

    name: str
    zone: str
    """Id of the hosted zone in Route 53."""


@dataclass(frozen=True)
class Slack:
    """A channel that AWS Chatbot may write to; the workspace is authorised once in the console."""

    workspace: str
    channel: str


@dataclass(frozen=True)
class Throttle:
    """Requests per second of the whole API, and the largest burst."""

    rate: int
    burst: int


ACCOUNT_THROTTLE = Throttle(rate=10_000, burst=5_000)
"""What API Gateway allows an account; the throttle of a stage cannot exceed it."""


@dataclass(frozen=True)
class TaskSize:
    """Units of a processor, 1024 for a whole one, and MB of a task on Fargate."""

    cpu: int
    memory: int


@dataclass(frozen=True)
class StageConfig:
    name: str
    account: str
    image: str
    """Tag of the image in the stage's own repository."""
    region: str = EDGE_REGION
    zones: tuple[str, ...] = ("us-east-1a",)
    replica_region: str | None = None
    """Region of the copies of the table and of the documents."""
    service: Literal["lambda", "fargate"] = "lambda"
    """Where the HTTP interface runs; open streams are far cheaper on Fargate, an idle service on Lambda."""
    workers: Literal["lambda", "fargate"] = "lambda"
    """Where jobs run; a job on Lambda continues in the next invocation after fifteen minutes."""
    function_memory: int = 1769
    """MB of a function; Lambda gives one virtual processor at this size."""
    worker_memory: int = 7076
    """MB of the function of jobs, which has four virtual processors for a search."""
    service_size: TaskSize = TaskSize(cpu=2048, memory=4096)
    worker_size: TaskSize = TaskSize(cpu=4096, memory=8192)
    service_tasks: int = 2
    """Tasks of the service on Fargate."""
    most_workers: int = 5
    """Jobs that run at the same time: tasks on Fargate, or concurrent invocations on Lambda."""
    nat_gateways: int = 0
    """Tasks on Fargate need one: the user pool's sign-in address and the sockets' callback address are public."""
    endpoint_zones: int = 1
    """Zones with interface endpoints, which cost by the hour; tasks in other zones reach them, too."""
    models: bool = False
    """Whether the agents use Bedrock; otherwise the embedded planner answers."""
    model: str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    """The inference profile of Bedrock from which each agent's own is copied."""
    model_regions: tuple[str, ...] = ("us-east-1", "us-east-2", "us-west-2")
    """Regions to which that profile sends requests."""
    processing_jobs: bool = False
    """Whether searches run as SageMaker Processing jobs."""
    processing_instances: int = 1
    watches_account: bool = False
    """Whether this stage holds what an account has once: CloudTrail and the recorder of AWS Config."""
    users: int = 20
    """People who work at the same time; the throttle of the API follows from it."""
    retained: bool = False
    """Whether tables, buckets, keys and the user pool survive the deletion of their stack."""
    log_days: int = 30
    monthly_dollars: int = 100
    model_dollars_per_day: int = 5
    owner: str = "platform"
    cost_centre: str = "research"
    emails: tuple[str, ...] = ("stratigos@example.com",)
    slack: Slack | None = None
    domain: Domain | None = None

    def __post_init__(self) -> None:
        if not STAGE_NAME.fullmatch(self.name):
            raise ValueError(f"stage {self.name!r}: allowed are 2 to 12 of a-z and 0-9, the first a letter")
        if not re.fullmatch(r"[0-9]{12}", self.account):
            raise ValueError(f"account {self.account!r}: expected 12 digits")
        if self.region != EDGE_REGION:
            raise ValueError(f"region {self.region!r}: only {EDGE_REGION}, as the firewall of CloudFront")
        if self.on_fargate and not self.nat_gateways:
            raise ValueError("nat_gateways 0: tasks on Fargate need at least one, to reach public addresses of AWS")
        if not 1 <= self.endpoint_zones <= len(self.zones):
            raise ValueError(f"endpoint_zones {self.endpoint_zones}: allowed are 1 to {len(self.zones)}, as zones")
        if not self.emails:
            raise ValueError("emails: at least one address must receive alarms")

    @property
    def prefix(self) -> str:
        return f"{APPLICATION}-{self.name}"

    @property
    def throttle(self) -> Throttle:
        """Every user may send ten requests a second and those of three seconds at once, as the application allows."""
        rate, burst = 10 * self.users, 30 * self.users
        return Throttle(min(rate, ACCOUNT_THROTTLE.rate), min(burst, ACCOUNT_THROTTLE.burst))

    @property
    def on_fargate(self) -> bool:
        """Whether tasks run in the network, which then needs interface endpoints."""
        return "fargate" in (self.service, self.workers)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Stacks that no other one needs."""
        network = () if self.on_fargate else ("network",)
        return (*network, "web", "observability", *(("operations",) if self.watches_account else ()))

    @property
    def page(self) -> str:
        """The address of the page; without a domain CloudFront names it, and sign-in returns to a local page."""
        return f"https://{self.domain.name}" if self.domain else "http://localhost:5173"

    def named(self, resource: str) -> str:
        """The physical name of a resource."""
        return f"{self.prefix}-{resource}"

    def globally_named(self, resource: str) -> str:
        """The physical name of a bucket, which must be unique in all of AWS."""
        return f"{self.prefix}-{resource}-{self.account}"


def stage_config(name: str, *, account: str | None = None, image: str = "unreleased") -> StageConfig:
    """The configuration of a stage; every name but dev, staging and prod is an ephemeral stage."""
    account = account or os.environ.get("CDK_DEFAULT_ACCOUNT") or EXAMPLE_ACCOUNT
    ephemeral = StageConfig(name, account, image, log_days=7, monthly_dollars=50)
    staging = replace(
        ephemeral,
        zones=("us-east-1a", "us-east-1b", "us-east-1c"),
        service="fargate",
        workers="fargate",
        nat_gateways=1,
        models=True,
        processing_jobs=True,
        processing_instances=4,
        log_days=30,
        monthly_dollars=1000,
        model_dollars_per_day=20,
    )
    match name:
        case "dev":
            return replace(ephemeral, models=True, log_days=30, monthly_dollars=200)
        case "staging":
            return staging
        case "prod":
            return replace(
                staging,
                replica_region="us-west-2",
                nat_gateways=3,
                endpoint_zones=3,
                most_workers=20,
                watches_account=True,
                users=200,
                retained=True,
                log_days=365,
                monthly_dollars=5000,
                model_dollars_per_day=100,
            )
        case _:
            return ephemeral
