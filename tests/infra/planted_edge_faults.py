"""Faults of the edges, of policies and of alarms, each with the rule that must name it."""

from tests.infra.template_edits import (
    Fault,
    add_action,
    add_statement,
    change,
    change_dimension,
    drop,
    drop_statement,
    put,
    remove,
    rename_metric,
    replace_in_dashboard,
    resource,
)

QUEUE = "AWS::SQS::Queue"
FUNCTION, POLICY, ALARM = "AWS::Lambda::Function", "AWS::IAM::Policy", "AWS::CloudWatch::Alarm"
POOL, CLIENT = "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"
ACL, DISTRIBUTION = "AWS::WAFv2::WebACL", "AWS::CloudFront::Distribution"
EVERY_ACCOUNT = [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]
OF_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
OPEN_PORT = [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}]

EDGE_FAULTS = (
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
    Fault(
        "endpoint of a service that is never called",
        "endpoints",
        "prod",
        change(
            "network",
            "AWS::EC2::VPCEndpoint",
            "sqs",
            put("ServiceName", value="com.amazonaws.us-east-1.sns"),
        ),
    ),
    Fault(
        "endpoint for every action",
        "endpoint-policies",
        "prod",
        change("network", "AWS::EC2::VPCEndpoint", "sqs", put("PolicyDocument", "Statement", "0", "Action", value="*")),
        "it serves *",
    ),
    Fault(
        "endpoint in every zone",
        "endpoints",
        "prod",
        change("network", "AWS::EC2::VPCEndpoint", "sqs", lambda each: each["SubnetIds"].pop()),
    ),
    Fault(
        "endpoint for credentials of every account",
        "endpoint-policies",
        "prod",
        change("network", "AWS::EC2::VPCEndpoint", "s3", drop("PolicyDocument")),
    ),
    Fault(
        "log with the secret of the origin",
        "access-logs",
        "dev",
        change(
            "service",
            "AWS::WAFv2::LoggingConfiguration",
            "",
            lambda each: each["RedactedFields"].remove({"SingleHeader": {"Name": "x-origin-secret"}}),
        ),
    ),
    Fault(
        "log of every admitted request",
        "access-logs",
        "dev",
        change("web", "AWS::WAFv2::LoggingConfiguration", "", drop("LoggingFilter")),
    ),
    Fault("log with cookies", "access-logs", "dev", change("web", "AWS::Logs::Delivery", "", drop("RecordFields"))),
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
            add_statement("dynamodb:*", "arn:aws:dynamodb:us-east-1:111111111111:table/stratigos-dev-records"),
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
        "bucket for every account",
        "public-policies",
        "dev",
        change("data", "AWS::S3::BucketPolicy", "documents", put("PolicyDocument", "Statement", value=EVERY_ACCOUNT)),
    ),
    Fault(
        "role that a service takes for another account",
        "trust",
        "prod",
        change(
            "compute",
            "AWS::IAM::Role",
            "worker",
            drop("AssumeRolePolicyDocument", "Statement", "0", "Condition"),
        ),
    ),
    Fault(
        "image for functions of every account",
        "confused-deputy",
        "dev",
        change("foundation", "AWS::ECR::Repository", "", drop("RepositoryPolicyText", "Statement", "0", "Condition")),
    ),
    Fault(
        "topic that a service fills for every account",
        "confused-deputy",
        "dev",
        change("foundation", "AWS::SNS::TopicPolicy", "", drop("PolicyDocument", "Statement", "1", "Condition")),
    ),
    Fault(
        "topic that EventBridge may fill under a condition",
        "notice-permissions",
        "dev",
        change(
            "foundation",
            "AWS::SNS::TopicPolicy",
            "",
            put("PolicyDocument", "Statement", "2", "Condition", value=OF_ACCOUNT),
        ),
        "under a condition that never holds",
    ),
    Fault(
        "key of the topic without EventBridge",
        "notice-permissions",
        "dev",
        change(
            "foundation",
            "AWS::KMS::Key",
            "operations",
            lambda each: each["KeyPolicy"]["Statement"].remove(
                next(one for one in each["KeyPolicy"]["Statement"] if "events." in str(one["Principal"]))
            ),
        ),
    ),
    Fault(
        "jobs of other stages",
        "own-jobs",
        "prod",
        change(
            "compute",
            POLICY,
            "worker",
            lambda each: [
                one.pop("Condition", None)
                for one in each["PolicyDocument"]["Statement"]
                if one.get("Sid") == "Processing"
            ],
        ),
    ),
    Fault(
        "trail without the calls that read",
        "account-trail",
        "prod",
        change(
            "operations", "AWS::CloudTrail::Trail", "", put("EventSelectors", "0", "ReadWriteType", value="WriteOnly")
        ),
    ),
    Fault("account without a trail", "account-trail", "prod", remove("operations", "AWS::CloudTrail::Trail")),
    Fault(
        "action that the program never calls",
        "process-policies",
        "dev",
        change(
            "compute",
            POLICY,
            "worker",
            add_statement(
                "dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:111111111111:table/stratigos-dev-records"
            ),
        ),
        "it may dynamodb:DeleteTable, which the program never calls there",
    ),
    Fault(
        "action of another resource",
        "process-policies",
        "dev",
        change("compute", POLICY, "worker", add_action("Dead", "sqs:DeleteMessage")),
        "it may sqs:DeleteMessage, which the program never calls there",
    ),
    Fault(
        "missing action",
        "process-policies",
        "dev",
        change("compute", POLICY, "tasks", drop_statement("Documents")),
        "it may not s3:DeleteObject, s3:GetObject, s3:ListBucket, s3:PutObject, which the program calls",
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
        "alarm on a queue that is not there",
        "alarm-metrics",
        "dev",
        change("observability", ALARM, "deadjobs", put("Dimensions", "0", "Value", value="stratigos-dev-dead")),
        "ApproximateNumberOfMessagesVisible is emitted for no stratigos-dev-dead",
    ),
    Fault(
        "dimension that AWS does not emit",
        "alarm-metrics",
        "dev",
        change("observability", ALARM, "deadjobs", put("Dimensions", "0", "Name", value="Queue")),
        "is emitted by QueueName, not by Queue",
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
    Fault(
        "idle stage above its budget",
        "budgets",
        "dev",
        lambda templates: templates["foundation"]["Resources"].update(
            {f"Key{n}": resource(templates, "foundation", "AWS::KMS::Key", "data") for n in range(200)}
        ),
    ),
    Fault("stage without a budget", "budgets", "dev", remove("foundation", "AWS::Budgets::Budget")),
    Fault(
        "name of another stage",
        "names",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("QueueName", value="stratigos-prod-jobs")),
    ),
    Fault(
        "name of a stage that begins alike",
        "names",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("QueueName", value="stratigos-dev2-jobs")),
    ),
    Fault(
        "type whose names are not checked",
        "names",
        "dev",
        lambda templates: templates["compute"]["Resources"].update(
            Parameter={"Type": "AWS::SSM::Parameter", "Properties": {"Name": "parameter", "Tags": []}}
        ),
        "PHYSICAL_NAMES lacks AWS::SSM::Parameter",
    ),
    Fault("function without tags", "tags", "dev", change("compute", FUNCTION, "worker", drop("Tags"))),
    Fault(
        "plan without an owner",
        "tags",
        "prod",
        change("data", "AWS::Backup::BackupPlan", "", drop("BackupPlanTags", "owner")),
        "it lacks the tags owner",
    ),
    Fault(
        "copy of a table without tags",
        "tags",
        "prod",
        change("data", "AWS::DynamoDB::GlobalTable", "records", drop("Replicas", "0", "Tags")),
    ),
)
