"""A stack of a stage: its name, account, region and tags follow from the configuration."""

from aws_cdk import Environment, RemovalPolicy, Stack, Tags
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import APPLICATION, StageConfig


class StageStack(Stack):
    def __init__(self, scope: Construct, part: str, config: StageConfig, *, region: str | None = None) -> None:
        super().__init__(
            scope,
            config.named(part),
            env=Environment(account=config.account, region=region or config.region),
            description=f"Stratigos, stage {config.name}: {part}",
            termination_protection=config.retained,
        )
        self.config = config
        self.process_logs: list[logs.LogGroup] = []
        """The logs of processes of the program."""
        tags = {
            "application": APPLICATION,
            "stage": config.name,
            "owner": config.owner,
            "cost-centre": config.cost_centre,
        }
        for name, value in tags.items():
            Tags.of(self).add(name, value)

    @property
    def removal(self) -> RemovalPolicy:
        return RemovalPolicy.RETAIN if self.config.retained else RemovalPolicy.DESTROY

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """The ARN of a resource of this account with a known name; an empty `region` is for global services."""
        region = self.config.region if region is None else region
        return f"arn:aws:{service}:{region}:{self.config.account}:{resource}"
