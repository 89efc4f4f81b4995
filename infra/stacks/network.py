"""The network of tasks on Fargate: three kinds of subnets, flow logs, and endpoints of the services that they call."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.blocks.roles import service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group
from infra.config import StageConfig
from infra.stacks.foundation import Foundation

RANGE = "10.0.0.0/16"
PUBLIC, PRIVATE, ISOLATED = "public", "private", "isolated"
CALLED = {"sqs": "sqs", "bedrock-runtime": "bedrock-runtime", "sagemaker": "sagemaker.api"}
"""Endpoint of each service that the program calls, besides the free gateways of DynamoDB and S3."""
PLATFORM = {
    "ecr-api": "ecr.api",
    "ecr-images": "ecr.dkr",
    "logs": "logs",
    "audit-key": "secretsmanager",
}
"""Endpoints that Fargate itself needs to start a task."""


class Network(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, foundation: Foundation) -> None:
        super().__init__(scope, "network", config)
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
            gateway_endpoints={
                name: ec2.GatewayVpcEndpointOptions(service=service)
                for name, service in (
                    ("dynamodb", ec2.GatewayVpcEndpointAwsService.DYNAMODB),
                    ("s3", ec2.GatewayVpcEndpointAwsService.S3),
                )
            },
        )
        self.tasks = ec2.SubnetSelection(subnet_group_name=PRIVATE)
        self._log_flows(foundation)
        if config.on_fargate:
            self._endpoints()

    def _log_flows(self, foundation: Foundation) -> None:
        flows = log_group(self, "network-flows", foundation.operations_key)
        role = service_role(self, "network-flows", "vpc-flow-logs.amazonaws.com", of_account=True)
        self.vpc.add_flow_log(
            "flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(flows, role),
            traffic_type=ec2.FlowLogTrafficType.ALL,
            max_aggregation_interval=ec2.FlowLogMaxAggregationInterval.TEN_MINUTES,
        )

    def _endpoints(self) -> None:
        """Interface endpoints, each for the addresses of this network only."""
        group = ec2.SecurityGroup(
            self,
            "endpoints-group",
            vpc=self.vpc,
            security_group_name=self.config.named("endpoints"),
            description="Interface endpoints: TLS from this network",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(RANGE), ec2.Port.tcp(443), "TLS from this network")
        for name, service in (CALLED | PLATFORM).items():
            ec2.InterfaceVpcEndpoint(
                self,
                f"{name}-endpoint",
                vpc=self.vpc,
                service=ec2.InterfaceVpcEndpointService(f"com.amazonaws.{self.config.region}.{service}"),
                subnets=ec2.SubnetSelection(subnet_group_name=ISOLATED),
                security_groups=[group],
                private_dns_enabled=True,
                open=False,
            )
