"""The HTTP interface: a function behind a REST API that streams, or tasks behind a load balancer."""

from aws_cdk import Duration
from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from infra.blocks.firewall import protect
from infra.blocks.processes import image_function
from infra.blocks.roles import process_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group
from infra.blocks.tasks import PORT, fargate_service
from infra.config import StageConfig
from infra.stacks import sockets
from infra.stacks.compute import FUNCTION_TIMEOUT, Compute
from infra.stacks.data import Data
from infra.stacks.foundation import Foundation
from infra.stacks.network import RANGE, Network

STAGE = "live"
FIELDS = {
    "request": "requestId",
    "address": "identity.sourceIp",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "milliseconds": "responseLatency",
}
ALARM_PERIOD = Duration.minutes(5)
STREAM_SILENCE = Duration.seconds(60)
"""Streams send a heartbeat every fifteen seconds."""
ORIGIN_HEADER = "x-origin-secret"
"""CloudFront sends it; the firewall of the REST API refuses requests without it."""


class HttpInterface(StageStack):
    def __init__(
        self,
        scope: Construct,
        config: StageConfig,
        *,
        foundation: Foundation,
        network: Network | None,
        data: Data,
        compute: Compute,
    ) -> None:
        super().__init__(scope, "service", config)
        self._foundation, self._network, self._compute = foundation, network, compute
        self.sockets = self._function(sockets.FUNCTION)
        self.function: lambda_.IFunction | None = None
        self.targets: balancing.ApplicationTargetGroup | None = None
        self.unanswered: cloudwatch.IMetric
        """Errors of the API or the load balancer itself, of which the program emits no metric."""
        if config.service == "lambda":
            self.function = self._function("http")
            self.origin = self._rest_api(self.function)
            # API Gateway finds an API by the name of its host
            self.forwarded = cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER
        else:
            self.origin = self._load_balancer(data)
            self.forwarded = cloudfront.OriginRequestPolicy.ALL_VIEWER

    def _function(self, name: str) -> lambda_.IFunction:
        return image_function(
            self,
            name,
            role=process_role(self, "http", name, "lambda.amazonaws.com", self._compute.arns()),
            repository=self._foundation.repository,
            key=self._foundation.operations_key,
            environment=self._compute.settings | {"STRATIGOS_LAMBDA_ANSWERS": "streamed"},
            memory=self.config.function_memory,
            timeout=FUNCTION_TIMEOUT,
        )

    def _rest_api(self, function: lambda_.IFunction) -> cloudfront.IOrigin:
        log, throttle = log_group(self, "http-access", self._foundation.operations_key), self.config.throttle
        api = gateway.RestApi(
            self,
            "api",
            rest_api_name=self.config.named("http"),
            endpoint_configuration=gateway.EndpointConfiguration(types=[gateway.EndpointType.REGIONAL]),
            binary_media_types=["*/*"],
            cloud_watch_role=False,
            deploy_options=gateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=throttle.rate,
                throttling_burst_limit=throttle.burst,
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=gateway.LogGroupLogDestination(log),
                access_log_format=gateway.AccessLogFormat.custom(
                    "{" + ",".join(f'"{name}":"$context.{field}"' for name, field in FIELDS.items()) + "}"
                ),
            ),
        )
        integration = gateway.LambdaIntegration(
            function,
            proxy=True,
            response_transfer_mode=gateway.ResponseTransferMode.STREAM,
            timeout=FUNCTION_TIMEOUT,
            allow_test_invoke=False,
        )
        for resource in (api.root, api.root.add_resource("{proxy+}")):
            # the application checks keys, tokens and tickets, and answers health without them
            resource.add_method("ANY", integration, authorization_type=gateway.AuthorizationType.NONE)
        secret = secrets.Secret(
            self,
            "origin-secret",
            secret_name=self.config.named("origin"),
            description="What CloudFront sends to the REST API, so that its firewall counts every request",
            encryption_key=self._foundation.operations_key,
            generate_secret_string=secrets.SecretStringGenerator(password_length=32, exclude_punctuation=True),
            removal_policy=self.removal,
        )
        value = secret.secret_value.unsafe_unwrap()
        protect(
            self,
            "api",
            resource=api.deployment_stage.stage_arn,
            key=self._foundation.operations_key,
            secret=(ORIGIN_HEADER, value),
        )
        self.unanswered = api.metric_server_error(period=ALARM_PERIOD, statistic="Sum")
        return origins.RestApiOrigin(api, custom_headers={ORIGIN_HEADER: value}, read_timeout=STREAM_SILENCE)

    def _load_balancer(self, data: Data) -> cloudfront.IOrigin:
        """An internal load balancer, which only CloudFront reaches, through its own interface in the network."""
        config, compute, network = self.config, self._compute, self._network
        assert network is not None
        assert compute.cluster is not None
        service = fargate_service(
            self,
            "http",
            network=network,
            cluster=compute.cluster,
            role=process_role(self, "http", "http", "ecs-tasks.amazonaws.com", compute.arns()),
            foundation=self._foundation,
            command=["serve"],
            environment=compute.settings
            | {"STRATIGOS_WORKERS": "0", "STRATIGOS_PORT": str(PORT), "TRUSTED_PROXIES": RANGE},
            size=config.service_size,
            spot=False,
            count=config.service_tasks,
        )
        group = ec2.SecurityGroup(
            self,
            "balancer-group",
            vpc=network.vpc,
            security_group_name=config.named("balancer"),
            description="The load balancer: HTTP from the interface of CloudFront in this network",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(RANGE), ec2.Port.tcp(80), "HTTP from this network")
        group.add_egress_rule(ec2.Peer.ipv4(RANGE), ec2.Port.tcp(PORT), "To the tasks")
        balancer = balancing.ApplicationLoadBalancer(
            self,
            "balancer",
            load_balancer_name=config.named("http"),
            vpc=network.vpc,
            vpc_subnets=network.tasks,
            internet_facing=False,
            security_group=group,
            deletion_protection=config.retained,
            drop_invalid_header_fields=True,
            idle_timeout=STREAM_SILENCE,
        )
        balancer.log_access_logs(data.logs, "balancer")
        listener = balancer.add_listener("http", port=80, protocol=balancing.ApplicationProtocol.HTTP, open=False)
        self.targets = listener.add_targets(
            "tasks",
            target_group_name=config.named("http"),
            port=PORT,
            protocol=balancing.ApplicationProtocol.HTTP,
            targets=[service],
            deregistration_delay=Duration.seconds(60),
            health_check=balancing.HealthCheck(path="/api/health", interval=Duration.seconds(15)),
        )
        least = config.service_tasks
        scaling = service.auto_scale_task_count(min_capacity=least, max_capacity=4 * least)
        scaling.scale_on_cpu_utilization("processors", target_utilization_percent=60)
        code = balancing.HttpCodeElb.ELB_5XX_COUNT
        self.unanswered = balancer.metrics.http_code_elb(code, period=ALARM_PERIOD, statistic="Sum")
        return origins.VpcOrigin.with_application_load_balancer(
            balancer,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTP_ONLY,
            http_port=80,
            vpc_origin_name=config.named("http"),
            read_timeout=STREAM_SILENCE,
        )
