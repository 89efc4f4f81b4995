"""Faults that are planted into the templates of a stage, each with the rule that must name it."""

from collections.abc import Callable
from typing import Any, NamedTuple

Templates = dict[str, Any]
Properties = dict[str, Any]


class Fault(NamedTuple):
    name: str
    rule: str
    stage: str
    plant: Callable[[Templates], None]


def resource(templates: Templates, stack: str, type_: str, part: str = "") -> dict[str, Any]:
    """A resource of a type in a stack, whose id begins with `part`, or else contains it."""
    ids = [
        id_
        for id_, each in templates[stack]["Resources"].items()
        if each["Type"] == type_ and part.lower() in id_.lower()
    ]
    return templates[stack]["Resources"][min(ids, key=lambda id_: not id_.lower().startswith(part.lower()))]


def change(stack: str, type_: str, part: str, edit: Callable[[Properties], object]) -> Callable[[Templates], None]:
    """A fault in the properties of one resource."""

    def plant(templates: Templates) -> None:
        edit(resource(templates, stack, type_, part)["Properties"])

    return plant


def remove(stack: str, type_: str, part: str = "") -> Callable[[Templates], None]:
    def plant(templates: Templates) -> None:
        resources = templates[stack]["Resources"]
        found = [id_ for id_, each in resources.items() if each["Type"] == type_ and part.lower() in id_.lower()]
        assert found
        for id_ in found:
            del resources[id_]

    return plant


def put(*path: str, value: Any) -> Callable[[Properties], None]:
    """Sets the value below these names."""

    def edit(properties: Properties) -> None:
        place: Any = properties
        for name in path[:-1]:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if isinstance(place, list):
            place[int(path[-1])] = value
        else:
            place[path[-1]] = value

    return edit


def drop(*path: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        place: Any = properties
        for name in path[:-1]:
            place = place[int(name)] if isinstance(place, list) else place[name]
        del place[path[-1]]

    return edit


def add_statement(action: str, resource_: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource_}
        properties["PolicyDocument"]["Statement"].append(statement)

    return edit


def drop_statement(sid: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        statements = properties["PolicyDocument"]["Statement"]
        kept = [each for each in statements if each.get("Sid") != sid]
        assert len(kept) < len(statements)
        properties["PolicyDocument"]["Statement"] = kept

    return edit


def container(*path: str, value: Any) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        put(*path, value=value)(properties["ContainerDefinitions"][0])

    return edit


def replace_in_dashboard(before: str, after: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        parts = properties["DashboardBody"]["Fn::Join"][1]
        assert any(before in part for part in parts if isinstance(part, str))
        properties["DashboardBody"]["Fn::Join"][1] = [
            part.replace(before, after) if isinstance(part, str) else part for part in parts
        ]

    return edit


def rename_metric(name: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        metric = next(each["MetricStat"]["Metric"] for each in properties["Metrics"] if "MetricStat" in each)
        metric["MetricName"] = name

    return edit


def change_dimension(value: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        metric = next(each["MetricStat"]["Metric"] for each in properties["Metrics"] if "MetricStat" in each)
        next(each for each in metric["Dimensions"] if each["Name"] == "Process")["Value"] = value

    return edit


BUCKET, TABLE, QUEUE = "AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::SQS::Queue"
FUNCTION, POLICY, ALARM = "AWS::Lambda::Function", "AWS::IAM::Policy", "AWS::CloudWatch::Alarm"
TASK, POOL, CLIENT = "AWS::ECS::TaskDefinition", "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"
ACL, DISTRIBUTION = "AWS::WAFv2::WebACL", "AWS::CloudFront::Distribution"
GLACIER = [{"Id": "cold", "Status": "Enabled", "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 9}]}]
EXPIRY = [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 365}]
ANYBODY = [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]
OPEN_PORT = [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}]

FAULTS = (
    Fault(
        "public bucket",
        "bucket-public",
        "dev",
        change("data", BUCKET, "documents", drop("PublicAccessBlockConfiguration")),
    ),
    Fault(
        "bucket without its key", "bucket-encryption", "dev", change("data", BUCKET, "jobs", drop("BucketEncryption"))
    ),
    Fault("bucket that answers without TLS", "bucket-tls", "dev", remove("data", "AWS::S3::BucketPolicy", "documents")),
    Fault(
        "bucket without versions",
        "bucket-versions",
        "prod",
        change("data", BUCKET, "documents", drop("VersioningConfiguration")),
    ),
    Fault(
        "archive that needs hours to be read",
        "bucket-classes",
        "prod",
        change("data", BUCKET, "documents", put("LifecycleConfiguration", "Rules", value=GLACIER)),
    ),
    Fault(
        "documents that expire",
        "document-expiry",
        "prod",
        change("data", BUCKET, "documents", put("LifecycleConfiguration", "Rules", value=EXPIRY)),
    ),
    Fault(
        "table without recovery to a point in time",
        "table-recovery",
        "dev",
        change("data", TABLE, "desk", drop("Replicas", "0", "PointInTimeRecoverySpecification")),
    ),
    Fault(
        "recovery of a week",
        "table-recovery",
        "prod",
        change(
            "data",
            TABLE,
            "desk",
            put("Replicas", "0", "PointInTimeRecoverySpecification", "RecoveryPeriodInDays", value=7),
        ),
    ),
    Fault("table without its key", "table-key", "dev", change("data", TABLE, "checkpoints", drop("SSESpecification"))),
    Fault(
        "table without an index of the store",
        "table-schema",
        "dev",
        change("data", TABLE, "desk", drop("LocalSecondaryIndexes")),
    ),
    Fault(
        "table without a copy in the second region",
        "table-copies",
        "prod",
        change("data", TABLE, "desk", lambda each: each["Replicas"].pop(0)),
    ),
    Fault(
        "documents without a copy",
        "table-copies",
        "prod",
        change("data", BUCKET, "documents", drop("ReplicationConfiguration")),
    ),
    Fault(
        "table that anybody can delete",
        "retained-data",
        "prod",
        change("data", TABLE, "desk", put("Replicas", "0", "DeletionProtectionEnabled", value=False)),
    ),
    Fault(
        "bucket that is deleted with its stack",
        "retained-data",
        "prod",
        lambda templates: resource(templates, "data", BUCKET, "documents").update(DeletionPolicy="Delete"),
    ),
    Fault(
        "key that never rotates",
        "key-rotation",
        "dev",
        change("foundation", "AWS::KMS::Key", "data", put("EnableKeyRotation", value=False)),
    ),
    Fault("tables without a backup", "backup-plan", "prod", remove("data", "AWS::Backup::BackupSelection")),
    Fault(
        "image tags that change",
        "image-repository",
        "dev",
        change("foundation", "AWS::ECR::Repository", "", put("ImageTagMutability", value="MUTABLE")),
    ),
    Fault(
        "images that are not scanned",
        "image-repository",
        "dev",
        change("foundation", "AWS::ECR::Repository", "", drop("ImageScanningConfiguration")),
    ),
    Fault(
        "queue without a key", "queue-encryption", "dev", change("compute", QUEUE, "jobsqueue", drop("KmsMasterKeyId"))
    ),
    Fault(
        "queue that forgets after four days",
        "queue-retention",
        "dev",
        change("compute", QUEUE, "deadjobs", drop("MessageRetentionPeriod")),
    ),
    Fault(
        "queue without dead letters",
        "queue-dead-letters",
        "dev",
        change("compute", QUEUE, "jobsqueue", drop("RedrivePolicy")),
    ),
    Fault(
        "three receives for a job that may return",
        "queue-dead-letters",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("RedrivePolicy", "maxReceiveCount", value=3)),
    ),
    Fault(
        "visibility below six times the timeout",
        "queue-visibility",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("VisibilityTimeout", value=900)),
    ),
    Fault(
        "batch without partial answers",
        "queue-batches",
        "dev",
        change("compute", "AWS::Lambda::EventSourceMapping", "", drop("FunctionResponseTypes")),
    ),
    Fault("queue that answers without TLS", "queue-tls", "dev", remove("compute", "AWS::SQS::QueuePolicy", "jobs")),
    Fault(
        "function that any account may invoke",
        "function-callers",
        "dev",
        change("compute", "AWS::Lambda::Permission", "", drop("SourceArn")),
    ),
    Fault("topic without a subscription", "topic", "dev", remove("foundation", "AWS::SNS::Subscription")),
    Fault(
        "schedule of an unknown task",
        "schedules",
        "dev",
        change("compute", "AWS::Scheduler::Schedule", "sweep", put("Target", "Input", value='{"task": "tidy"}')),
    ),
    Fault("cleanup that never starts", "schedules", "dev", remove("compute", "AWS::Scheduler::Schedule", "cleanup")),
    Fault(
        "rule that loses failed events",
        "event-rules",
        "dev",
        change("compute", "AWS::Events::Rule", "uploads", drop("Targets", "0", "DeadLetterConfig")),
    ),
    Fault(
        "log without an end",
        "log-retention",
        "dev",
        change("compute", "AWS::Logs::LogGroup", "tasks", drop("RetentionInDays")),
    ),
    Fault(
        "function with a log of its own",
        "function-log",
        "dev",
        change("compute", FUNCTION, "worker", drop("LoggingConfig")),
    ),
    Fault(
        "function with another entry point",
        "function-image",
        "dev",
        change("service", FUNCTION, "http", drop("ImageConfig")),
    ),
    Fault(
        "function that ends after a minute",
        "function-limits",
        "dev",
        change("compute", FUNCTION, "worker", put("Timeout", value=60)),
    ),
    Fault(
        "setting that does not exist",
        "known-settings",
        "dev",
        change("compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_STOER", value="x")),
    ),
    Fault(
        "setting that the program refuses",
        "accepted-settings",
        "dev",
        change(
            "compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_STORE", value="dynamodb:desk")
        ),
    ),
    Fault(
        "function without its queue",
        "needed-settings",
        "dev",
        change("compute", FUNCTION, "worker", drop("Environment", "Variables", "STRATIGOS_QUEUE")),
    ),
    Fault(
        "secret in a template",
        "secret-settings",
        "dev",
        change("compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_AUDIT_KEY", value="a" * 40)),
    ),
    Fault(
        "task that writes to its image",
        "task-isolation",
        "prod",
        change("service", TASK, "http", container("ReadonlyRootFilesystem", value=False)),
    ),
    Fault(
        "task with a public address",
        "task-isolation",
        "prod",
        change(
            "service",
            "AWS::ECS::Service",
            "",
            put("NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp", value="ENABLED"),
        ),
    ),
    Fault(
        "API that holds back answers",
        "api-streams",
        "dev",
        change("service", "AWS::ApiGateway::Method", "", drop("Integration", "ResponseTransferMode")),
    ),
    Fault(
        "throttle below the application's limit",
        "api-throttle",
        "dev",
        change("service", "AWS::ApiGateway::Stage", "", put("MethodSettings", "0", "ThrottlingRateLimit", value=5)),
    ),
    Fault(
        "open port",
        "open-ports",
        "prod",
        change("service", "AWS::EC2::SecurityGroup", "http", put("SecurityGroupIngress", value=OPEN_PORT)),
    ),
    Fault(
        "public load balancer",
        "open-ports",
        "prod",
        change("service", "AWS::ElasticLoadBalancingV2::LoadBalancer", "", put("Scheme", value="internet-facing")),
    ),
    Fault(
        "subnet that gives public addresses",
        "subnets",
        "prod",
        change("network", "AWS::EC2::Subnet", "public", put("MapPublicIpOnLaunch", value=True)),
    ),
    Fault("network without flow logs", "flow-log", "dev", remove("network", "AWS::EC2::FlowLog")),
    Fault("endpoint that is missing", "endpoints", "prod", remove("network", "AWS::EC2::VPCEndpoint", "sqs")),
    Fault("API without a firewall", "firewall-use", "dev", remove("service", "AWS::WAFv2::WebACLAssociation")),
    Fault(
        "page without a firewall",
        "firewall-use",
        "dev",
        change("web", DISTRIBUTION, "", drop("DistributionConfig", "WebACLId")),
    ),
    Fault(
        "firewall that refuses imports",
        "firewall-rules",
        "dev",
        change(
            "service",
            ACL,
            "",
            lambda each: [
                rule["Statement"].get("ManagedRuleGroupStatement", {}).pop("RuleActionOverrides", None)
                for rule in each["Rules"]
            ],
        ),
    ),
    Fault(
        "firewall without a rate", "firewall-rules", "dev", change("web", ACL, "", lambda each: each["Rules"].pop(0))
    ),
    Fault(
        "API beside CloudFront",
        "only-from-cloudfront",
        "dev",
        change("service", ACL, "", lambda each: each["Rules"].pop(0)),
    ),
    Fault(
        "page without TLS",
        "distribution",
        "dev",
        change(
            "web",
            DISTRIBUTION,
            "",
            put("DistributionConfig", "DefaultCacheBehavior", "ViewerProtocolPolicy", value="allow-all"),
        ),
    ),
    Fault(
        "cached answers of the service",
        "distribution",
        "dev",
        change(
            "web",
            DISTRIBUTION,
            "",
            put(
                "DistributionConfig",
                "DefaultCacheBehavior",
                "CachePolicyId",
                value="658327ea-f89d-4fab-a63d-7e88639e58f6",
            ),
        ),
    ),
    Fault(
        "open registration",
        "user-pool",
        "dev",
        change("identity", POOL, "", put("AdminCreateUserConfig", "AllowAdminCreateUserOnly", value=False)),
    ),
    Fault(
        "eight characters",
        "user-pool",
        "dev",
        change("identity", POOL, "", put("Policies", "PasswordPolicy", "MinimumLength", value=8)),
    ),
    Fault(
        "no second factor", "user-pool", "dev", change("identity", POOL, "", put("MfaConfiguration", value="OPTIONAL"))
    ),
    Fault("role without a group", "user-pool", "dev", remove("identity", "AWS::Cognito::UserPoolGroup", "analyst")),
    Fault(
        "implicit flow",
        "user-pool-client",
        "dev",
        change("identity", CLIENT, "", put("AllowedOAuthFlows", value=["implicit"])),
    ),
    Fault(
        "token of a day",
        "user-pool-client",
        "dev",
        change("identity", CLIENT, "", put("AccessTokenValidity", value=1440)),
    ),
    Fault(
        "wildcard action",
        "wildcard-actions",
        "dev",
        change(
            "compute",
            POLICY,
            "worker",
            add_statement("dynamodb:*", "arn:aws:dynamodb:us-east-1:111111111111:table/stratigos-dev-desk"),
        ),
    ),
    Fault(
        "wildcard resource",
        "wildcard-resources",
        "dev",
        change("compute", POLICY, "worker", add_statement("s3:GetObject", "*")),
    ),
    Fault(
        "every bucket",
        "wildcard-resources",
        "dev",
        change("compute", POLICY, "worker", add_statement("s3:GetObject", "arn:aws:s3:::*")),
    ),
    Fault(
        "role that may be handed to any service",
        "pass-role",
        "prod",
        change(
            "compute",
            POLICY,
            "processing",
            lambda each: [one.pop("Condition", None) for one in each["PolicyDocument"]["Statement"]],
        ),
    ),
    Fault(
        "administrator",
        "aws-policies",
        "dev",
        change(
            "compute",
            "AWS::IAM::Role",
            "worker",
            put("ManagedPolicyArns", value=["arn:aws:iam::aws:policy/AdministratorAccess"]),
        ),
    ),
    Fault(
        "role for other accounts",
        "trust",
        "dev",
        change(
            "compute",
            "AWS::IAM::Role",
            "worker",
            put("AssumeRolePolicyDocument", "Statement", "0", "Principal", value={"AWS": "*"}),
        ),
    ),
    Fault(
        "bucket for everybody",
        "public-policies",
        "dev",
        change("data", "AWS::S3::BucketPolicy", "documents", put("PolicyDocument", "Statement", value=ANYBODY)),
    ),
    Fault(
        "action that the program never calls",
        "process-policies",
        "dev",
        change(
            "compute",
            POLICY,
            "worker",
            add_statement("dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:111111111111:table/stratigos-dev-desk"),
        ),
    ),
    Fault(
        "missing action", "process-policies", "dev", change("compute", POLICY, "worker", drop_statement("Documents"))
    ),
    Fault(
        "alarm without an action",
        "alarm-actions",
        "dev",
        change("observability", ALARM, "deadjobs", drop("AlarmActions")),
    ),
    Fault("alarm that is missing", "needed-alarms", "dev", remove("observability", ALARM, "errorrate")),
    Fault(
        "metric that is not emitted",
        "alarm-metrics",
        "dev",
        change("observability", ALARM, "failedjobs", rename_metric("JobsBroken")),
    ),
    Fault(
        "dimension that is not emitted",
        "alarm-metrics",
        "prod",
        change("observability", ALARM, "dataage", change_dimension("serve")),
    ),
    Fault(
        "dashboard of a metric that is not emitted",
        "dashboard-metrics",
        "dev",
        change("observability", "AWS::CloudWatch::Dashboard", "", replace_in_dashboard("JobsCompleted", "JobsDone")),
    ),
    Fault(
        "query of a field that is not logged",
        "log-queries",
        "dev",
        change("observability", "AWS::CloudWatch::Dashboard", "", replace_in_dashboard("request_id", "correlation")),
    ),
    Fault(
        "filter of an event that is not logged",
        "log-filters",
        "dev",
        change(
            "observability", "AWS::Logs::MetricFilter", "", put("FilterPattern", value='{ $.event = "audit_lost" }')
        ),
    ),
    Fault("stage without a budget", "budgets", "dev", remove("foundation", "AWS::Budgets::Budget")),
    Fault(
        "name of another stage",
        "names",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("QueueName", value="stratigos-prod-jobs")),
    ),
    Fault("function without tags", "tags", "dev", change("compute", FUNCTION, "worker", drop("Tags"))),
)
