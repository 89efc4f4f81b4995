"""Functions, tasks and their settings, and the APIs that stream their answers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from api.secret_references import is_reference
from api.settings import MODEL_VARIABLES, VARIABLES, Settings
from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation
from infra.guardrail import digest

FUNCTION, TASK, GROUP = "AWS::Lambda::Function", "AWS::ECS::TaskDefinition", "AWS::Logs::LogGroup"
ENTRY_POINT = ["python", "-m", "api.lambda_"]
LONGEST = 900
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD")
REFERENCE = re.compile(r"\{[^{}]+\}")
SAMPLES: Mapping[str, str] = {
    "AWS::SQS::Queue": "https://sqs.us-east-1.amazonaws.com/111111111111/queue",
    "AWS::DynamoDB::GlobalTable": "table",
    "AWS::S3::Bucket": "bucket",
    "AWS::Cognito::UserPool": "us-east-1_Example1",
    "AWS::Cognito::UserPoolClient": "exampleclient",
    "AWS::ApiGatewayV2::Api": "api1234567",
    "AWS::IAM::Role": "arn:aws:iam::111111111111:role/role",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:111111111111:key/11111111-1111-1111-1111-111111111111",
    "AWS::ECR::Repository": "images",
    "AWS::Bedrock::ApplicationInferenceProfile": (
        "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/profile"
    ),
    "AWS::Bedrock::Guardrail": "guardrail1",
    "AWS::Bedrock::GuardrailVersion": "1",
}
"""What AWS puts in place of a reference to a resource of a type."""


def function_log(stage: Stage) -> Iterator[Violation]:
    groups = {f"{{{each.stack}/{each.name}}}" for each in stage.of_type(GROUP)}
    for function in stage.of_type(FUNCTION):
        if stage.text(function.stack, function.get("LoggingConfig", "LogGroup", default="")) not in groups:
            yield function, "Lambda would create its log without an end and without a key"


def log_retention(stage: Stage) -> Iterator[Violation]:
    for group in stage.of_type(GROUP):
        if group.get("RetentionInDays") != stage.config.log_days:
            yield group, f"its lines are not kept for {stage.config.log_days} days"
        if not group.get("KmsKeyId"):
            yield group, "it is not encrypted with a key of this account"


def function_image(stage: Stage) -> Iterator[Violation]:
    for function in stage.of_type(FUNCTION):
        if function.get("ImageConfig", "EntryPoint") != ENTRY_POINT:
            yield function, f"its entry point is not {' '.join(ENTRY_POINT)}"
        if not str(stage.text(function.stack, function.get("Code", "ImageUri", default=""))).endswith(
            f":{stage.config.image}"
        ):
            yield function, f"it does not run the image {stage.config.image}"
        if function.get("Architectures", default=["x86_64"]) != ["x86_64"]:
            yield function, "the kernels of the image are compiled for x86-64"


def function_limits(stage: Stage) -> Iterator[Violation]:
    for function in stage.of_type(FUNCTION):
        if function.get("Timeout") != LONGEST:
            yield function, f"streams and jobs need {LONGEST} seconds"
        if function.get("TracingConfig", "Mode") != "Active":
            yield function, "it is not traced"
        if not function.get("KmsKeyArn"):
            yield function, "its settings are not encrypted with a key of this account"


def environments(stage: Stage) -> Iterator[tuple[Resource, dict[str, str], set[str]]]:
    """The variables of each process as text, and the names of its secrets."""
    for function in stage.of_type(FUNCTION):
        variables = stage.text(function.stack, function.get("Environment", "Variables", default={}))
        yield function, variables, set()
    for task in stage.of_type(TASK):
        for container in stage.text(task.stack, task.get("ContainerDefinitions", default=[])):
            variables = {each["Name"]: each["Value"] for each in container.get("Environment", [])}
            yield task, variables, {each["Name"] for each in container.get("Secrets", [])}


def sample(stage: Stage, text: str) -> str:
    """The text with values in place of its references."""

    def replace(match: re.Match[str]) -> str:
        resource = stage.resource(match[0])
        return SAMPLES[resource.type] if resource is not None else match[0]

    return "s" * 64 if is_reference(text) else REFERENCE.sub(replace, text)


def known_settings(stage: Stage) -> Iterator[Violation]:
    known = {*VARIABLES, *MODEL_VARIABLES}
    for process, variables, secrets in environments(stage):
        if unknown := sorted((variables.keys() | secrets) - known):
            yield process, f"the program knows no setting {', '.join(unknown)}"


def accepted_settings(stage: Stage) -> Iterator[Violation]:
    for process, variables, secrets in environments(stage):
        values: dict[str, Any] = {name: sample(stage, value) for name, value in variables.items() if name in VARIABLES}
        try:
            Settings.model_validate(values | dict.fromkeys(secrets, "s" * 64))
        except ValidationError as error:
            for each in error.errors():
                yield process, f"the program refuses {each['loc'][0]}: {each['msg']}"


def needed_settings(stage: Stage) -> Iterator[Violation]:
    needed = {
        "STRATIGOS_STORE",
        "STRATIGOS_CHECKPOINTS",
        "STRATIGOS_QUEUE",
        "STRATIGOS_AUTH",
        "STRATIGOS_AUDIT_KEY",
        "STRATIGOS_METRICS",
        "STRATIGOS_SOCKETS",
    }
    for process, variables, secrets in environments(stage):
        if missing := sorted(needed - variables.keys() - secrets):
            yield process, f"it lacks {', '.join(missing)}"
        if variables.get("STRATIGOS_DEPLOYMENT") != stage.config.prefix:
            yield process, "its metrics would mix with those of other stages"


def secret_settings(stage: Stage) -> Iterator[Violation]:
    """Secrets are references to Secrets Manager, never values of a template."""
    for process, variables, _ in environments(stage):
        for name, value in variables.items():
            if name == "SAGEMAKER_KMS_KEY":  # the ARN of a key
                continue
            if SECRET.search(name) and not is_reference(value):
                yield process, f"{name} stands in the template"


def task_isolation(stage: Stage) -> Iterator[Violation]:
    for task in stage.of_type(TASK):
        for container in task.get("ContainerDefinitions", default=[]):
            if container.get("ReadonlyRootFilesystem") is not True:
                yield task, "it may write to the file system of the image"
            if container.get("Privileged") or container.get("User") in ("root", "0"):
                yield task, "it runs as a privileged user"
    for service in stage.of_type("AWS::ECS::Service"):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        if network.get("AssignPublicIp") != "DISABLED":
            yield service, "its tasks have public addresses"


def api_streams(stage: Stage) -> Iterator[Violation]:
    """API Gateway streams what the function streams; the program's own setting says the same."""
    for method in stage.of_type("AWS::ApiGateway::Method"):
        if method.get("Integration", "ResponseTransferMode") != "STREAM":
            yield method, "API Gateway would hold back answers until they are complete"
        if method.get("Integration", "TimeoutInMillis") != LONGEST * 1000:
            yield method, f"streams end before {LONGEST} seconds"
    for api in stage.of_type("AWS::ApiGateway::RestApi"):
        if api.get("BinaryMediaTypes") != ["*/*"]:
            yield api, "uploads would be read as text"
    for process, variables, _ in environments(stage):
        if process.type == FUNCTION and variables.get("STRATIGOS_LAMBDA_ANSWERS", "streamed") != "streamed":
            yield process, "the function does not stream"


def api_throttle(stage: Stage) -> Iterator[Violation]:
    """The whole API admits what the application allows each user."""
    settings, throttle = Settings.model_validate({}), stage.config.throttle
    if throttle.rate < settings.requests_per_second * stage.config.users:
        yield "service", f"the API admits {throttle.rate} requests a second for {stage.config.users} users"
    for each in stage.of_type("AWS::ApiGateway::Stage"):
        limits = each.get("MethodSettings", default=[{}])[0]
        if (limits.get("ThrottlingRateLimit"), limits.get("ThrottlingBurstLimit")) != (throttle.rate, throttle.burst):
            yield each, "its throttle is not that of the stage"
    for each in stage.of_type("AWS::ApiGatewayV2::Stage"):
        limits = each.get("DefaultRouteSettings", default={})
        if (limits.get("ThrottlingRateLimit"), limits.get("ThrottlingBurstLimit")) != (throttle.rate, throttle.burst):
            yield each, "its throttle is not that of the stage"


def guardrail_version(stage: Stage) -> Iterator[Violation]:
    """A version is a copy: it follows a changed guardrail only if its own properties change."""
    versions = [each.get("Description") for each in stage.of_type("AWS::Bedrock::GuardrailVersion")]
    for guardrail in stage.of_type("AWS::Bedrock::Guardrail"):
        filters = guardrail.get("ContentPolicyConfig", "FiltersConfig", default=[])
        secrets = guardrail.get("SensitiveInformationPolicyConfig", "PiiEntitiesConfig", default=[])
        content = digest(
            {each["Type"]: (each["InputStrength"], each["OutputStrength"]) for each in filters},
            [each["Type"] for each in secrets],
            guardrail.get("BlockedInputMessaging"),
        )
        if versions != [content]:
            yield guardrail, "the agents would keep the version before its change"


PROCESS_RULES: tuple[Rule, ...] = (
    function_log,
    log_retention,
    function_image,
    function_limits,
    known_settings,
    accepted_settings,
    needed_settings,
    secret_settings,
    task_isolation,
    api_streams,
    api_throttle,
    guardrail_version,
)
