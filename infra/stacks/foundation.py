"""What every other stack builds on: keys, the image repository, the event bus, topics, the audit key and budgets."""

from typing import cast

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.blocks.notices import notify
from infra.blocks.processes import PULL_BY_LAMBDA
from infra.blocks.roles import service_principal, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import USE, encryption_key
from infra.config import StageConfig

PUBLISHERS = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com", "costalerts.amazonaws.com")
"""Services that send alarms to the topic."""
TRAIL = "calls"
"""Name of the account's trail after that of the stage."""
IMAGES_KEPT = 20

AUDIT_KEY = "audit-key"
"""Name of the secret that is the key of the audit log."""


class Foundation(StageStack):
    def __init__(self, scope: Construct, config: StageConfig) -> None:
        super().__init__(scope, "foundation", config)
        recorders = ("config.amazonaws.com",) if config.watches_account else ()
        logs_service = f"logs.{config.region}.amazonaws.com"
        self.data_key = encryption_key(self, "data", "Tables, documents, queues and images", ("events.amazonaws.com",))
        self.operations_key = encryption_key(
            self, "operations", "Logs, alarms and the audit key", (logs_service, *PUBLISHERS, *recorders)
        )
        if config.watches_account:
            self._admit_trail()
        self.repository = ecr.Repository(
            self,
            "images",
            repository_name=config.named("images"),
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.data_key,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=IMAGES_KEPT)],
            removal_policy=self.removal,
            empty_on_delete=not config.retained,
        )
        self.repository.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Functions",
                principals=[service_principal("lambda.amazonaws.com")],
                actions=list(PULL_BY_LAMBDA),
                conditions={"ArnLike": {"aws:SourceArn": self.arn("lambda", f"function:{config.prefix}-*")}},
            )
        )
        self.bus = events.EventBus(
            self, "bus", event_bus_name=config.named("events"), description="Tasks that an operator starts by an event"
        )
        self.alarms = self._topic()
        notify(
            self,
            "image-findings",
            self.alarms,
            events.EventPattern(
                source=["aws.ecr"],
                detail_type=["ECR Image Scan"],
                detail={
                    "repository-name": [config.named("images")],
                    "finding-severity-counts": {"CRITICAL": [{"exists": True}]},
                },
            ),
        )
        self.audit_key = secrets.Secret(
            self,
            AUDIT_KEY,
            secret_name=config.named(AUDIT_KEY),
            description="Key of the hashes in the audit log",
            encryption_key=self.operations_key,
            generate_secret_string=secrets.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=self.removal,
        )
        self._budget()

    def _admit_trail(self) -> None:
        """Let CloudTrail encrypt the calls of this account, in the name of this stage's trail only."""
        trail = {"aws:SourceArn": self.arn("cloudtrail", f"trail/{self.config.named(TRAIL)}")}
        context = {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{self.config.account}:trail/*"}
        for actions, conditions in (
            (["kms:DescribeKey"], {"StringEquals": trail}),
            (list(USE), {"StringEquals": trail, "StringLike": context}),
        ):
            self.operations_key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[service_principal("cloudtrail.amazonaws.com")],
                    actions=actions,
                    resources=["*"],  # in the policy of a key this is the key itself
                    conditions=conditions,
                )
            )

    def _topic(self) -> sns.ITopic:
        topic = sns.Topic(
            self, "alarms", topic_name=self.config.named("alarms"), master_key=self.operations_key, enforce_ssl=True
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[service_principal(service) for service in PUBLISHERS],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.config.account}},
            )
        )
        self._admit_notices(topic)
        for email in self.config.emails:
            topic.add_subscription(cast("sns.ITopicSubscription", subscriptions.EmailSubscription(email)))
        if self.config.slack is not None:
            chatbot.SlackChannelConfiguration(
                self,
                "slack",
                slack_channel_configuration_name=self.config.named("alarms"),
                slack_workspace_id=self.config.slack.workspace,
                slack_channel_id=self.config.slack.channel,
                role=cast("iam.IRole", service_role(self, "slack", "chatbot.amazonaws.com")),
                notification_topics=[cast("sns.ITopic", topic)],
                guardrail_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("CloudWatchReadOnlyAccess")],
            )
        return cast("sns.ITopic", topic)

    def _admit_notices(self, topic: sns.Topic) -> None:
        """Let EventBridge publish, which names no account to a topic and its key: a condition would never hold."""
        principals = [service_principal("events.amazonaws.com")]
        topic.add_to_resource_policy(
            iam.PolicyStatement(principals=principals, actions=["sns:Publish"], resources=[topic.topic_arn])
        )
        self.operations_key.add_to_resource_policy(
            iam.PolicyStatement(principals=principals, actions=list(USE), resources=["*"])  # the key itself
        )

    def _budget(self) -> None:
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self.alarms.topic_arn)
        notices = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
        budgets.CfnBudget(
            self,
            "budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self.config.named("monthly"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=self.config.monthly_dollars, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:stage${self.config.name}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in notices
            ],
        )
