"""WAF: Amazon's core rules and known bad inputs, a rate for each address, and room for imports."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_kms as kms
from aws_cdk import aws_wafv2 as waf

from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group

REQUESTS_PER_ADDRESS, SECONDS = 2000, 300
BODY_RULE = "SizeRestrictions_BODY"
"""It refuses bodies above 8 kB. The application limits each route itself, and imports may have 100 MB."""
FILE_RULES = ("CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY")
"""They find patterns in files of prices and in prompts, which are no attacks here: no body becomes HTML or a path."""
CREDENTIALS = ("authorization", "cookie", "x-api-key", "x-csrf-token")
"""Headers that the log does not show."""


def access_list(
    stack: StageStack, name: str, *, scope: str, key: kms.IKey, secret: tuple[str, str] | None = None
) -> waf.CfnWebACL:
    """`scope` is REGIONAL or CLOUDFRONT; with `secret`, requests without this header are refused first."""
    rules = [] if secret is None else [_needs_header(*secret)]
    if scope == "CLOUDFRONT":
        rules.append(_rate())
    rules += [
        _managed("AWSManagedRulesCommonRuleSet", 10, counted=(BODY_RULE, *FILE_RULES)),
        _managed("AWSManagedRulesKnownBadInputsRuleSet", 20, counted=()),
    ]
    acl = waf.CfnWebACL(
        stack,
        f"{name}-firewall",
        name=stack.config.named(name),
        scope=scope,
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visible(f"{name}-firewall"),
        rules=rules,
    )
    hidden = CREDENTIALS if secret is None else (*CREDENTIALS, secret[0])
    log = log_group(stack, f"aws-waf-logs-{stack.config.named(name)}", key)
    waf.CfnLoggingConfiguration(
        stack,
        f"{name}-firewall-log",
        resource_arn=acl.attr_arn,
        log_destination_configs=[stack.arn("logs", f"log-group:{log.log_group_name}")],
        redacted_fields=[
            waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": each}) for each in hidden
        ]
        + [waf.CfnLoggingConfiguration.FieldToMatchProperty(query_string={})],
        logging_filter=_refused_or_counted(),
    )
    return acl


def _refused_or_counted() -> Mapping[str, Any]:
    """Access logs hold the admitted requests, which here would cost the most."""
    actions = ("BLOCK", "COUNT", "EXCLUDED_AS_COUNT")
    conditions = [{"ActionCondition": {"Action": action}} for action in actions]
    kept = {"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": conditions}
    return {"DefaultBehavior": "DROP", "Filters": [kept]}


def protect(stack: StageStack, name: str, *, resource: str, key: kms.IKey, secret: tuple[str, str]) -> None:
    """A regional firewall before a public API, which CloudFront passes with the secret."""
    acl = access_list(stack, name, scope="REGIONAL", key=key, secret=secret)
    waf.CfnWebACLAssociation(stack, f"{name}-firewall-use", resource_arn=resource, web_acl_arn=acl.attr_arn)


def _visible(metric: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=True
    )


def _managed(name: str, priority: int, *, counted: tuple[str, ...]) -> waf.CfnWebACL.RuleProperty:
    overrides = [
        waf.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={}))
        for rule in counted
    ]
    group = waf.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name=name, rule_action_overrides=overrides or None
    )
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        visibility_config=_visible(name),
    )


def _rate() -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name="requests-per-address",
        priority=1,
        action=waf.CfnWebACL.RuleActionProperty(block={"CustomResponse": {"ResponseCode": 429}}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                limit=REQUESTS_PER_ADDRESS, aggregate_key_type="IP", evaluation_window_sec=SECONDS
            )
        ),
        visibility_config=_visible("requests-per-address"),
    )


def _needs_header(name: str, value: str) -> waf.CfnWebACL.RuleProperty:
    match = waf.CfnWebACL.ByteMatchStatementProperty(
        field_to_match=waf.CfnWebACL.FieldToMatchProperty(single_header={"Name": name}),
        positional_constraint="EXACTLY",
        search_string=value,
        text_transformations=[waf.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")],
    )
    return waf.CfnWebACL.RuleProperty(
        name="from-cloudfront",
        priority=0,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            not_statement=waf.CfnWebACL.NotStatementProperty(
                statement=waf.CfnWebACL.StatementProperty(byte_match_statement=match)
            )
        ),
        visibility_config=_visible("from-cloudfront"),
    )
