"""The WebSocket API. It invokes the function of the HTTP interface, which API Gateway knows by its name."""

from aws_cdk import aws_apigatewayv2 as gateway
from constructs import Construct

from infra.blocks.roles import allow, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group
from infra.config import StageConfig
from infra.stacks.foundation import Foundation

ROUTES = {"$connect": "connect", "$default": "message", "$disconnect": "disconnect"}
STAGE = "live"
FUNCTION = "sockets"
FIELDS = ("requestId", "routeKey", "status", "connectionId", "requestTime")


class Sockets(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, foundation: Foundation) -> None:
        super().__init__(scope, "sockets", config)
        api = gateway.CfnApi(
            self,
            "api",
            name=config.named("sockets"),
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",
        )
        function = self.arn("lambda", f"function:{config.named(FUNCTION)}")
        credentials = service_role(self, "sockets-api", "apigateway.amazonaws.com")
        allow(credentials, "Invoke", ["lambda:InvokeFunction"], [function])
        integration = gateway.CfnIntegration(
            self,
            "integration",
            api_id=api.ref,
            integration_type="AWS_PROXY",
            credentials_arn=credentials.role_arn,
            integration_uri=f"arn:aws:apigateway:{config.region}:lambda:path/2015-03-31/functions/{function}/invocations",
        )
        for key, name in ROUTES.items():
            gateway.CfnRoute(
                self,
                f"{name}-route",
                api_id=api.ref,
                route_key=key,
                # the function checks a ticket, a token or a key
                authorization_type="NONE",
                target=f"integrations/{integration.ref}",
            )
        log = log_group(self, "sockets-access", foundation.operations_key)
        throttle = config.throttle
        gateway.CfnStage(
            self,
            "stage",
            api_id=api.ref,
            stage_name=STAGE,
            auto_deploy=True,
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=throttle.rate,
                throttling_burst_limit=throttle.burst,
                detailed_metrics_enabled=True,
            ),
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn,
                format="{" + ",".join(f'"{each}":"$context.{each}"' for each in FIELDS) + "}",
            ),
        )
        self.callback = f"https://{api.ref}.execute-api.{config.region}.amazonaws.com/{STAGE}"
        # an import by name, which the acceptance of the wildcard needs
        self.connections = self.arn("execute-api", f"{self.export_value(api.ref)}/{STAGE}/POST/@connections/*")
