"""Findings of cdk-nag that are accepted, each with the reason, by stack and construct.

Those about the policies of roles are accepted where a role is created, in `infra.blocks.roles`.
"""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, App, Stack, Validations

from infra.config import StageConfig

OWN_CHECKS = (
    "The application checks an API key, a token of the pool or a ticket itself, with the same rules on every way in, "
    "and answers health without them."
)
SETTINGS = "The variables are names and addresses; the only secret is a reference to Secrets Manager."

ACCEPTED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "foundation": {
        "audit-key": {
            "AwsSolutions-SMG4": "The audit log is a chain of hashes under this key; another key would break its check."
        },
    },
    "identity": {
        "users": {
            "AwsSolutions-COG8": "Only prod pays for threat protection; other stages have no real users. A second "
            "factor is required everywhere.",
        },
    },
    "sockets": {
        "connect-route": {"AwsSolutions-APIG4": OWN_CHECKS},
        "message-route": {"AwsSolutions-APIG4": "Messages come on connections that were checked."},
        "disconnect-route": {"AwsSolutions-APIG4": "The end of a connection needs no permission."},
    },
    "compute": {
        "cluster": {
            "AwsSolutions-ECS4": "Alarms and dashboards read the metrics of the program and of the load balancer; "
            "those of Container Insights would be paid for and not read."
        },
        "worker-definition": {"AwsSolutions-ECS2": SETTINGS},
        "failed-events-queue": {"AwsSolutions-SQS3": "It is the queue of failed events of rules and schedules."},
    },
    "service": {
        "origin-secret": {
            "AwsSolutions-SMG4": "CloudFront and the firewall must change together: deploy with a new value instead."
        },
        "http-definition": {"AwsSolutions-ECS2": SETTINGS},
        "api": {
            "AwsSolutions-APIG2": "The application validates every request against its schema and names the field.",
            "AwsSolutions-APIG4": OWN_CHECKS,
            "AwsSolutions-APIG6": "Each request is in the access log and, with its id, in the log of the application; "
            "the execution log would need a role for the whole account and repeat both.",
            "AwsSolutions-COG4": OWN_CHECKS,
        },
    },
    "web": {
        "distribution": {
            "AwsSolutions-CFR1": "Portfolio managers travel; sign-in, not the country, decides.",
            "AwsSolutions-CFR3": "CloudFront's current form of access logs is set up beside it, as a log delivery.",
            "AwsSolutions-CFR4": "CloudFront's own certificate fixes the protocol; with a domain it is TLS 1.2.",
        },
    },
}


def acknowledge(app: App, config: StageConfig) -> None:
    """Accept the findings of the constructs that this stage has."""
    for part, constructs in ACCEPTED.items():
        stack = app.node.try_find_child(config.named(part))
        if not isinstance(stack, Stack):
            continue
        for name, reasons in constructs.items():
            construct = stack.node.try_find_child(name)
            if construct is not None:
                acknowledgments = [Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items()]
                Validations.of(construct).acknowledge(*acknowledgments)
