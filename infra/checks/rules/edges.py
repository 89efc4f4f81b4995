"""The network, the firewall, the distribution and the user pool: where people and packets come in."""

from collections.abc import Iterator

from desk.governance.roles import ROLES
from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation
from infra.checks.rules.access import as_list

REQUESTS_PER_ADDRESS, SECONDS = 2000, 300
BODY_RULE = "SizeRestrictions_BODY"
PASSWORD_LENGTH = 12
GATEWAYS = {"dynamodb", "s3"}
"""Endpoints without a price."""
CALLED = {
    "sqs": "sqs",
    "bedrock": "bedrock-runtime",
    "sagemaker": "sagemaker.api",
    "secretsmanager": "secretsmanager",
}
"""The endpoints of other services in `tests/infra/recorded_calls.json`, by the prefix of their actions."""
WITHOUT_ENDPOINT = {
    "execute-api": "Only the public address of the WebSocket API sends to its connections.",
    "iam": "SageMaker checks whether a role may be passed; the program does not call IAM.",
}
"""Services of the recorded calls that need no endpoint, with the reason."""
PLATFORM = {"ecr.api", "ecr.dkr", "logs"}
"""What Fargate needs to start a task."""
CREDENTIALS = {"authorization", "cookie", "x-api-key", "x-csrf-token"}
"""Headers that no log shows."""
SECRET_FIELDS = {"cs(Cookie)", "cs(Referer)", "cs-uri-query"}
"""Fields of CloudFront's log that may hold sessions, tickets and codes of sign-in."""
EVERYWHERE = {"0.0.0.0/0", "::/0"}
MANAGED = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")


def open_ports(stage: Stage) -> Iterator[Violation]:
    for group in stage.of_type("AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", default=[]):
            if {rule.get("CidrIp"), rule.get("CidrIpv6")} & EVERYWHERE:
                yield group, "every address may connect"
    for rule in stage.of_type("AWS::EC2::SecurityGroupIngress"):
        if {rule.get("CidrIp"), rule.get("CidrIpv6")} & EVERYWHERE:
            yield rule, "every address may connect"
    for balancer in stage.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancer.get("Scheme") != "internal":
            yield balancer, "it has a public address, so requests could pass CloudFront by"


def subnets(stage: Stage) -> Iterator[Violation]:
    all_subnets = list(stage.of_type("AWS::EC2::Subnet"))
    for subnet in all_subnets:
        if subnet.get("MapPublicIpOnLaunch") is True:
            yield subnet, "what starts in it gets a public address"
    if len(all_subnets) != 3 * len(stage.config.zones):
        yield "network", f"{len(all_subnets)} subnets, not three kinds in {len(stage.config.zones)} zones"
    gateways = len(list(stage.of_type("AWS::EC2::NatGateway")))
    if gateways != stage.config.nat_gateways:
        yield "network", f"{gateways} NAT gateways, not {stage.config.nat_gateways}"


def flow_log(stage: Stage) -> Iterator[Violation]:
    logged = {stage.text(each.stack, each.get("ResourceId")) for each in stage.of_type("AWS::EC2::FlowLog")}
    for network in stage.of_type("AWS::EC2::VPC"):
        if f"{{{network.stack}/{network.name}}}" not in logged:
            yield network, "its traffic is not logged"


def endpoints(stage: Stage) -> Iterator[Violation]:
    """Endpoints cost by the hour: exactly those that tasks need, and none without tasks."""
    needed = GATEWAYS | (_called(stage) | PLATFORM if stage.config.on_fargate else set())
    present = set[str]()
    for each in stage.of_type("AWS::EC2::VPCEndpoint"):
        service = str(stage.text(each.stack, each.get("ServiceName"))).partition(stage.config.region + ".")[2]
        service = service or str(stage.text(each.stack, each.get("ServiceName"))).rpartition("}.")[2]
        present.add(service)
        if each.get("VpcEndpointType") == "Interface" and each.get("PrivateDnsEnabled") is not True:
            yield each, "the program would not find it under the name of its service"
        if each.get("VpcEndpointType") == "Interface" and len(each.get("SubnetIds")) != stage.config.endpoint_zones:
            yield each, f"it is paid for in {len(each.get('SubnetIds'))} zones, not in {stage.config.endpoint_zones}"
    if present != needed:
        yield "network", f"endpoints of {', '.join(sorted(present))}, not of {', '.join(sorted(needed))}"


def _called(stage: Stage) -> set[str]:
    used = {"bedrock": stage.config.models, "sagemaker": stage.config.processing_jobs}
    return {endpoint for service, endpoint in CALLED.items() if used.get(service, True)}


def endpoint_policies(stage: Stage) -> Iterator[Violation]:
    """Credentials of another account could carry data away through an endpoint, or other actions change something."""
    for each in stage.of_type("AWS::EC2::VPCEndpoint"):
        allowed = [
            statement
            for statement in each.get("PolicyDocument", "Statement", default=[{}])
            if statement.get("Sid") != "Layers"  # of images, in a bucket of AWS
        ]
        if any("aws:PrincipalAccount" not in str(statement.get("Condition")) for statement in allowed):
            yield each, "it serves credentials of every account"
        actions = [action for statement in allowed for action in as_list(statement.get("Action", "*"))]
        if wild := sorted(action for action in actions if "*" in action):
            yield each, f"it serves {', '.join(wild)}"


def access_logs(stage: Stage) -> Iterator[Violation]:
    """Logs of firewalls and of CloudFront show no credentials; a firewall logs what it refused or counted."""
    for log in stage.of_type("AWS::WAFv2::LoggingConfiguration"):
        hidden = {each.get("SingleHeader", {}).get("Name") for each in log.get("RedactedFields", default=[])}
        acl = stage.resource(str(stage.text(log.stack, log.get("ResourceArn"))))
        needed = CREDENTIALS | (secret_headers(acl) if acl else set())
        if missing := sorted(needed - hidden):
            yield log, f"it shows {', '.join(missing)}"
        if log.get("LoggingFilter", "DefaultBehavior") != "DROP":
            yield log, "it repeats every admitted request, at the price of CloudWatch"
    for delivery in stage.of_type("AWS::Logs::Delivery"):
        fields = delivery.get("RecordFields")
        if fields is None or SECRET_FIELDS & set(fields):
            yield delivery, "the access log holds cookies, queries or referrers"


def secret_headers(acl: Resource) -> set[str]:
    """Names of the headers that a firewall compares with a secret."""
    found = set[str]()
    for rule in acl.get("Rules", default=[]):
        statement = rule.get("Statement", {}).get("NotStatement", {}).get("Statement", {})
        header = statement.get("ByteMatchStatement", {}).get("FieldToMatch", {}).get("SingleHeader", {})
        found |= {header["Name"]} if header else set()
    return found


def firewall_use(stage: Stage) -> Iterator[Violation]:
    """Each public way in has a firewall; the WebSocket API cannot have one, and CloudFront's is before the balancer."""
    protected = {
        str(stage.text(each.stack, each.get("ResourceArn"))) for each in stage.of_type("AWS::WAFv2::WebACLAssociation")
    }
    for api in stage.of_type("AWS::ApiGateway::Stage"):
        if not any(f"{{{api.stack}/{api.name}}}" in each for each in protected):
            yield api, "it has no firewall"
    for distribution in stage.of_type("AWS::CloudFront::Distribution"):
        if not distribution.get("DistributionConfig", "WebACLId"):
            yield distribution, "it has no firewall"


def firewall_rules(stage: Stage) -> Iterator[Violation]:
    for acl in stage.of_type("AWS::WAFv2::WebACL"):
        rules = acl.get("Rules", default=[])
        groups = {
            each["Statement"]["ManagedRuleGroupStatement"]["Name"]: each
            for each in rules
            if "ManagedRuleGroupStatement" in each.get("Statement", {})
        }
        for name in MANAGED:
            if name not in groups or "None" not in groups[name].get("OverrideAction", {}):
                yield acl, f"it does not apply {name}"
        if MANAGED[0] in groups and BODY_RULE not in _counted(groups[MANAGED[0]]):
            yield acl, f"{BODY_RULE} refuses imports and long requests"
        rates = [
            (each["Statement"]["RateBasedStatement"], each.get("Action", {}))
            for each in rules
            if "RateBasedStatement" in each.get("Statement", {})
        ]
        if acl.get("Scope") == "CLOUDFRONT" and not any(
            (rate["Limit"], rate.get("EvaluationWindowSec", SECONDS)) == (REQUESTS_PER_ADDRESS, SECONDS)
            and "Block" in action
            for rate, action in rates
        ):
            yield acl, f"an address may send more than {REQUESTS_PER_ADDRESS} requests in {SECONDS} seconds"


def _counted(rule: dict[str, object]) -> set[str]:
    group = rule["Statement"]["ManagedRuleGroupStatement"]  # type: ignore[index]
    return {each["Name"] for each in group.get("RuleActionOverrides", []) if "Count" in each["ActionToUse"]}


def only_from_cloudfront(stage: Stage) -> Iterator[Violation]:
    """A REST API has a public address; its firewall refuses requests without CloudFront's secret."""
    for api in stage.of_type("AWS::ApiGateway::RestApi"):
        regional = [each for each in stage.of_type("AWS::WAFv2::WebACL") if each.get("Scope") == "REGIONAL"]
        if not any(_needs_secret(each) for each in regional):
            yield api, "requests that pass CloudFront by are answered"


def _needs_secret(acl: Resource) -> bool:
    return any(
        "NotStatement" in each.get("Statement", {}) and "Block" in each.get("Action", {}) for each in acl.get("Rules")
    )


def distribution(stage: Stage) -> Iterator[Violation]:
    for each in stage.of_type("AWS::CloudFront::Distribution"):
        config = each.get("DistributionConfig", default={})
        behaviors = [config["DefaultCacheBehavior"], *config.get("CacheBehaviors", [])]
        if any(one.get("ViewerProtocolPolicy") not in ("redirect-to-https", "https-only") for one in behaviors):
            yield each, "it answers without TLS"
        if any("ResponseHeadersPolicyId" not in one for one in config.get("CacheBehaviors", [])):
            yield each, "files have no security headers"
        for origin in config.get("Origins", []):
            if "S3OriginConfig" in origin and not origin.get("OriginAccessControlId"):
                yield each, "the bucket would have to be public: there is no origin access control"
        if config["DefaultCacheBehavior"].get("CachePolicyId") != "4135ea2d-6df8-44a3-9df3-4b5a84be39ad":
            yield each, "answers of the service may be cached, and sent to another user"
    for policy in stage.of_type("AWS::CloudFront::ResponseHeadersPolicy"):
        headers = policy.get("ResponseHeadersPolicyConfig", "SecurityHeadersConfig", default={})
        needed = {"ContentSecurityPolicy", "ContentTypeOptions", "FrameOptions", "StrictTransportSecurity"}
        if missing := needed - headers.keys():
            yield policy, f"it lacks {', '.join(sorted(missing))}"


def user_pool(stage: Stage) -> Iterator[Violation]:
    for pool in stage.of_type("AWS::Cognito::UserPool"):
        if pool.get("AdminCreateUserConfig", "AllowAdminCreateUserOnly") is not True:
            yield pool, "users may create their own accounts"
        if pool.get("Policies", "PasswordPolicy", "MinimumLength", default=0) < PASSWORD_LENGTH:
            yield pool, f"passwords may be shorter than {PASSWORD_LENGTH} characters"
        if pool.get("MfaConfiguration") != "ON" or pool.get("EnabledMfas") != ["SOFTWARE_TOKEN_MFA"]:
            yield pool, "a second factor by TOTP is not required"
    groups = {each.get("GroupName") for each in stage.of_type("AWS::Cognito::UserPoolGroup")}
    if groups != set(ROLES):
        yield "identity", f"the groups are not the roles {', '.join(ROLES)}"


def user_pool_client(stage: Stage) -> Iterator[Violation]:
    for client in stage.of_type("AWS::Cognito::UserPoolClient"):
        if client.get("AllowedOAuthFlows") != ["code"]:
            yield client, "tokens would be in addresses: only the code flow is safe"
        if client.get("GenerateSecret") is True:
            yield client, "a page cannot keep a secret"
        seconds = {"minutes": 60, "hours": 3600, "days": 86_400}
        units = client.get("TokenValidityUnits", default={})
        access = client.get("AccessTokenValidity", default=0) * seconds[units.get("AccessToken", "hours")]
        refresh = client.get("RefreshTokenValidity", default=0) * seconds[units.get("RefreshToken", "days")]
        if (access, refresh) != (3600, 30 * 86_400):
            yield client, f"tokens hold for {access} and {refresh} seconds, not for an hour and thirty days"


EDGE_RULES: tuple[Rule, ...] = (
    open_ports,
    subnets,
    flow_log,
    endpoints,
    endpoint_policies,
    access_logs,
    firewall_use,
    firewall_rules,
    only_from_cloudfront,
    distribution,
    user_pool,
    user_pool_client,
)
