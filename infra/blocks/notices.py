"""Events of AWS that people get as they get alarms."""

from typing import cast

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns

from infra.blocks.stack import StageStack


def notify(stack: StageStack, name: str, topic: sns.ITopic, pattern: events.EventPattern) -> None:
    """Send the events of the pattern to the topic, whose policy and key admit EventBridge."""
    rule = events.Rule(stack, f"{name}-rule", rule_name=stack.config.named(name), event_pattern=pattern)
    # a reference: the target would add a statement to the topic's policy for each rule
    reference = sns.Topic.from_topic_arn(stack, f"{name}-topic", topic.topic_arn)
    rule.add_target(cast("events.IRuleTarget", targets.SnsTopic(reference)))
