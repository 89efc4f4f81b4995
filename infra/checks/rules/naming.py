"""Names and tags: they say to which stage a resource belongs, and who pays for it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation

TAGS = {"application", "stage", "owner", "cost-centre"}
TAG_PROPERTIES = ("Tags", "UserPoolTags", "BackupPlanTags", "BackupVaultTags", "ResourceTags")
"""Where types have their tags, as a list of pairs or as an object."""
WITHOUT_TAGS = frozenset(
    {
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::Backup::BackupSelection",
        "AWS::Bedrock::GuardrailVersion",
        "AWS::CloudFront::OriginAccessControl",
        "AWS::CloudFront::ResponseHeadersPolicy",
        "AWS::Cognito::ManagedLoginBranding",
        "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Config::ConfigRule",
        "AWS::Config::ConfigurationRecorder",
        "AWS::Config::DeliveryChannel",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ECS::ClusterCapacityProviderAssociations",
        "AWS::IAM::Policy",
        "AWS::KMS::Alias",
        "AWS::Lambda::Permission",
        "AWS::Logs::MetricFilter",
        "AWS::Route53::RecordSet",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::Schedule",
        "AWS::WAFv2::LoggingConfiguration",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""Types that have no tags in CloudFormation."""
PHYSICAL_NAMES: Mapping[str, str] = {
    "AWS::AccessAnalyzer::Analyzer": "AnalyzerName",
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::Backup::BackupPlan": "BackupPlan.BackupPlanName",
    "AWS::Backup::BackupSelection": "BackupSelection.SelectionName",
    "AWS::Backup::BackupVault": "BackupVaultName",
    "AWS::Bedrock::ApplicationInferenceProfile": "InferenceProfileName",
    "AWS::Bedrock::Guardrail": "Name",
    "AWS::Budgets::Budget": "Budget.BudgetName",
    "AWS::CE::AnomalyMonitor": "MonitorName",
    "AWS::CE::AnomalySubscription": "SubscriptionName",
    "AWS::Chatbot::SlackChannelConfiguration": "ConfigurationName",
    "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig.Name",
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig.Name",
    "AWS::CloudFront::VpcOrigin": "VpcOriginEndpointConfig.Name",
    "AWS::CloudTrail::Trail": "TrailName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::Cognito::UserPoolClient": "ClientName",
    "AWS::Cognito::UserPoolDomain": "Domain",
    "AWS::Config::ConfigRule": "ConfigRuleName",
    "AWS::Config::ConfigurationRecorder": "Name",
    "AWS::Config::DeliveryChannel": "Name",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ECS::TaskDefinition": "Family",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::DeliveryDestination": "Name",
    "AWS::Logs::DeliverySource": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::MetricFilter": "FilterName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::WAFv2::WebACL": "Name",
}
"""The property that names a resource of a type."""
NAMED_WITHIN = {"AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage", "AWS::IAM::Policy", "AWS::Route53::RecordSet"}
"""Types whose names count within another resource only, or are those of the domain."""


def physical_name(resource: Resource) -> Any:
    """The name of a resource in the account; None without one."""
    key = PHYSICAL_NAMES.get(resource.type)
    return None if key is None else resource.get(*key.split("."))


def names(stage: Stage) -> Iterator[Violation]:
    """Two stages share no name: each contains that of its stage, as a whole word."""
    own = re.compile(rf"(^|[/-]){re.escape(stage.config.prefix)}([/-]|$)")
    for resource in stage.resources:
        if resource.type == "AWS::CloudWatch::Alarm" and resource.stack != "observability":
            continue  # AWS names the alarms of scaling
        name = physical_name(resource)
        if resource.type in PHYSICAL_NAMES and not (isinstance(name, str) and own.search(name)):
            yield resource, f"its {PHYSICAL_NAMES[resource.type]} {name!r} does not contain {stage.config.prefix}"
        if resource.type not in PHYSICAL_NAMES.keys() | NAMED_WITHIN:
            kind = resource.type.rpartition("::")[2]
            if named := sorted({"Name", f"{kind}Name"} & resource.properties.keys()):
                yield resource, f"its {', '.join(named)} is not checked: PHYSICAL_NAMES lacks {resource.type}"


def tags(stage: Stage) -> Iterator[Violation]:
    """Budgets, bills and permissions go by tags, so every resource that can have them has them."""
    for resource in stage.resources:
        if resource.type not in WITHOUT_TAGS:
            for properties in _tagged(resource):
                if missing := sorted(TAGS - _tags(properties)):
                    yield resource, f"it lacks the tags {', '.join(missing)}, so its cost cannot be allocated"


def _tagged(resource: Resource) -> list[Mapping[str, Any]]:
    """What has the tags: the resource, or each copy of a table."""
    copies = resource.get("Replicas", default=[])
    return copies if resource.type == "AWS::DynamoDB::GlobalTable" else [resource.properties]


def _tags(properties: Mapping[str, Any]) -> set[str]:
    value = next((properties[name] for name in TAG_PROPERTIES if name in properties), [])
    return set(value) if isinstance(value, Mapping) else {each["Key"] for each in value}


NAMING_RULES: tuple[Rule, ...] = (names, tags)
