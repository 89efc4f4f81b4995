"""The commands of a deployment, and the upload of the page's files."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.config import stage_config
from infra.deploy import (
    FOREVER,
    GATEWAY_POLICY,
    GATEWAY_ROLE,
    PROCESSING_LOGS,
    close_default_group,
    keep_processing_logs,
    let_gateways_log,
    log_in,
    upload,
)
from tests.doubles.aws import CREDENTIALS, moto, point_at

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
LOGIN = f"""#!{sys.executable}
import sys
open("login", "w").write(" ".join(sys.argv[1:]) + " < " + sys.stdin.read())
"""


def test_the_image_is_pushed_after_its_repository_and_before_the_other_stacks() -> None:
    command = [sys.executable, "-m", "infra.deploy", "dev", "--dry-run", "--account", ACCOUNT]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/stratigos-dev-images:REVISION"
    assert [line.split()[0].rpartition("/")[2] for line in lines] == ["npx", "docker", "docker", "npx"]
    assert lines[0].endswith("stratigos-dev-foundation")
    assert f"--tag {image}" in lines[1]
    assert "--platform linux/amd64" in lines[1]
    assert lines[2] == f"docker push {image}"
    assert lines[3].endswith("--all")
    assert "infra.app --stage dev --image REVISION" in lines[3]


def test_files_of_the_page_are_uploaded_with_their_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("app-1a2b.js", "let a"), ("fonts/inter-3c4d.woff2", "font")):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    config = stage_config("dev", account=ACCOUNT)
    with moto() as server:
        point_at(monkeypatch, server.url)
        server.s3.create_bucket(
            Bucket=config.globally_named("web"), CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        assert upload(config, tmp_path) == 2
        script = server.s3.get_object(Bucket=config.globally_named("web"), Key="assets/app-1a2b.js")
        assert (script["ContentType"], script["CacheControl"]) == ("text/javascript", FOREVER)
        assert server.objects(config.globally_named("web")) == ["assets/app-1a2b.js", "assets/fonts/inter-3c4d.woff2"]
        server.s3.delete_objects(
            Bucket=config.globally_named("web"),
            Delete={"Objects": [{"Key": key} for key in server.objects(config.globally_named("web"))]},
        )


def test_api_gateway_gets_a_role_for_its_logs_once() -> None:
    clients = [boto3.client(name, region_name="us-east-1", **CREDENTIALS) for name in ("apigateway", "iam")]
    arn = f"arn:aws:iam::{ACCOUNT}:role/{GATEWAY_ROLE}"
    role = {
        "Path": "/",
        "RoleName": GATEWAY_ROLE,
        "RoleId": "AROAEXAMPLEEXAMPLE",
        "Arn": arn,
        "CreateDate": datetime(2026, 11, 23, tzinfo=UTC),
    }
    with Stubber(clients[0]) as gateway, Stubber(clients[1]) as roles:
        gateway.add_response("get_account", {})
        roles.add_response("create_role", {"Role": role}, {"RoleName": GATEWAY_ROLE, "AssumeRolePolicyDocument": ANY})
        roles.add_response("attach_role_policy", {}, {"RoleName": GATEWAY_ROLE, "PolicyArn": GATEWAY_POLICY})
        answer = {"Role": role, "ResponseMetadata": {"HTTPStatusCode": 200}}
        roles.add_response("get_role", answer, {"RoleName": GATEWAY_ROLE})
        change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}
        gateway.add_response("update_account", {}, {"patchOperations": [change]})
        assert let_gateways_log(*clients)
        gateway.assert_no_pending_responses()
        roles.assert_no_pending_responses()
        gateway.add_response("get_account", {"cloudwatchRoleArn": arn})
        assert not let_gateways_log(*clients)


def test_the_log_of_processing_jobs_ends_and_no_stage_shortens_it() -> None:
    client = boto3.client("logs", region_name="us-east-1", **CREDENTIALS)
    search, named = {"logGroupNamePrefix": PROCESSING_LOGS}, {"logGroupName": PROCESSING_LOGS}
    with Stubber(client) as logs:
        logs.add_response("describe_log_groups", {"logGroups": []}, search)
        logs.add_response("create_log_group", {}, named)
        logs.add_response("put_retention_policy", {}, named | {"retentionInDays": 30})
        keep_processing_logs(client, 30)
        logs.add_response("describe_log_groups", {"logGroups": [named | {"retentionInDays": 30}]}, search)
        logs.add_response("put_retention_policy", {}, named | {"retentionInDays": 365})
        keep_processing_logs(client, 365)
        logs.add_response("describe_log_groups", {"logGroups": [named | {"retentionInDays": 365}]}, search)
        keep_processing_logs(client, 30)
        logs.assert_no_pending_responses()


def test_the_default_group_of_the_network_loses_its_rules() -> None:
    client = boto3.client("ec2", region_name="us-east-1", **CREDENTIALS)
    network = {"Filters": [{"Name": "tag:Name", "Values": ["stratigos-dev-network"]}]}
    rules = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}]
    exits = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    with Stubber(client) as ec2:
        for ingress, egress in ((rules, exits), ([], [])):
            group = {"GroupId": "sg-1", "IpPermissions": ingress, "IpPermissionsEgress": egress}
            ec2.add_response("describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}]}, network)
            ec2.add_response("describe_security_groups", {"SecurityGroups": [group]}, {"Filters": ANY})
            if ingress:
                ec2.add_response("revoke_security_group_ingress", {}, {"GroupId": "sg-1", "IpPermissions": rules})
                ec2.add_response("revoke_security_group_egress", {}, {"GroupId": "sg-1", "IpPermissions": exits})
            assert close_default_group(client, stage_config("dev", account=ACCOUNT)) == bool(ingress)
        ec2.assert_no_pending_responses()


def test_docker_gets_the_password_of_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text(LOGIN)
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with moto() as server:
        point_at(monkeypatch, server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", server.url)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        log_in(stage_config("dev", account=ACCOUNT))
    command, _, password = (tmp_path / "login").read_text().partition(" < ")
    assert command == f"login --username AWS --password-stdin {ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
    assert password
