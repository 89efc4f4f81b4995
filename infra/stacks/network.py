"""The network of tasks on Fargate: three kinds of subnets, flow logs, and endpoints of the services that they call."""

from collections.abc import Iterable, Mapping
from typing import cast

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.blocks.processes import WRITE_LOG
from infra.blocks.roles import LOGIN, PULL, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group
from infra.config import StageConfig
from infra.permissions import actions_by_service
from infra.stacks.foundation import Foundation

RANGE = "10.0.0.0/16"
PUBLIC, PRIVATE, ISOLATED = "public", "private", "isolated"
CALLED = {
    "sqs": "sqs",
    "bedrock": "bedrock-runtime",
    "sagemaker": "sagemaker.api",
    "secretsmanager": "secretsmanager",
}
"""Endpoint of each service that the program calls, besides the free gateways of DynamoDB and S3."""
PLATFORM = {
    "ecr.api": (LOGIN, *PULL),
    "ecr.dkr": (LOGIN, *PULL),
    "logs": WRITE_LOG,
}
"""Endpoints that Fargate itself needs to start a task, and the actions with which it does."""
LAYERS = "arn:aws:s3:::prod-{region}-starport-layer-bucket/*"
"""Where ECR keeps layers of images, in a bucket of AWS, which signed addresses open."""


class Network(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, foundation: Foundation) -> None:
        super().__init__(scope, "network", config)
        self._actions = actions_by_service(config)
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if config.nat_gateways else ec2.SubnetType.PRIVATE_ISOLATED
        kinds = {PUBLIC: ec2.SubnetType.PUBLIC, PRIVATE: private, ISOLATED: ec2.SubnetType.PRIVATE_ISOLATED}
        self.vpc = ec2.Vpc(
            self,
            "vpc",
            vpc_name=config.named("network"),
            ip_addresses=ec2.IpAddresses.cidr(RANGE),
            availability_zones=list(config.zones),
            nat_gateways=config.nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(name=name, subnet_type=kind, cidr_mask=20, map_public_ip_on_launch=False)
                if kind is ec2.SubnetType.PUBLIC
                else ec2.SubnetConfiguration(name=name, subnet_type=kind, cidr_mask=20)
                for name, kind in kinds.items()
            ],
            restrict_default_security_group=False,
        )
        self._gateways()
        self.tasks = ec2.SubnetSelection(subnet_group_name=PRIVATE)
        self._log_flows(foundation)
        if config.on_fargate:
            self._endpoints()

    def _log_flows(self, foundation: Foundation) -> None:
        flows = log_group(self, "network-flows", foundation.operations_key)
        role = service_role(self, "network-flows", "vpc-flow-logs.amazonaws.com", of_account=True)
        self.vpc.add_flow_log(
            "flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(flows, cast("iam.IRole", role)),
            traffic_type=ec2.FlowLogTrafficType.ALL,
            max_aggregation_interval=ec2.FlowLogMaxAggregationInterval.TEN_MINUTES,
        )

    def _gateways(self) -> None:
        """Endpoints without a price, for tables and buckets of this account only."""
        owner = {"aws:ResourceAccount": self.config.account}
        layers = iam.PolicyStatement(
            sid="Layers",
            principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
            actions=["s3:GetObject"],
            resources=[LAYERS.format(region=self.config.region)],
        )
        for name, service, more in (
            ("dynamodb", ec2.GatewayVpcEndpointAwsService.DYNAMODB, []),
            ("s3", ec2.GatewayVpcEndpointAwsService.S3, [layers]),
        ):
            endpoint = self.vpc.add_gateway_endpoint(name, service=service)
            for statement in (self._own(self._actions[name], owner), *more):
                endpoint.add_to_policy(statement)

    def _own(self, actions: Iterable[str], conditions: Mapping[str, str] | None = None) -> iam.PolicyStatement:
        """These requests with credentials of this account: those of another one could carry data away."""
        return iam.PolicyStatement(
            sid="OwnAccount",
            principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
            actions=sorted(actions),
            resources=["*"],  # the policies of roles name them
            conditions={"StringEquals": {"aws:PrincipalAccount": self.config.account, **(conditions or {})}},
        )

    def _endpoints(self) -> None:
        """Interface endpoints, each for the addresses of this network and the actions of its tasks only."""
        called = {CALLED[service]: actions for service, actions in self._actions.items() if service in CALLED}
        zones = list(self.config.zones[: self.config.endpoint_zones])
        group = ec2.SecurityGroup(
            self,
            "endpoints-group",
            vpc=self.vpc,
            security_group_name=self.config.named("endpoints"),
            description="Interface endpoints: TLS from this network",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(RANGE), ec2.Port.tcp(443), "TLS from this network")
        for service, actions in (called | PLATFORM).items():
            endpoint = ec2.InterfaceVpcEndpoint(
                self,
                f"{service.replace('.', '-')}-endpoint",
                vpc=self.vpc,
                service=ec2.InterfaceVpcEndpointService(f"com.amazonaws.{self.config.region}.{service}"),
                subnets=ec2.SubnetSelection(subnet_group_name=ISOLATED, availability_zones=zones),
                security_groups=[group],
                private_dns_enabled=True,
                open=False,
            )
            endpoint.add_to_policy(self._own(actions))
