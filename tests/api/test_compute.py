"""Where searches are computed is a setting; settings that do not fit each other are refused at the start."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.app import create_dependencies
from api.cli.main import run
from api.compute_settings import cluster_of
from api.doctor.services import check_compute
from api.settings import read_settings
from desk.base.errors import InvalidInput
from tests.api.sagemaker_settings import SAGEMAKER
from tests.doubles.aws import point_at

pytestmark = pytest.mark.anyio

PRICES = """
as_of = 2026-03-02
source = "a contract"
instances = [{type = "ml.own.large", cores = 3, dollars_per_hour = 0.5}]
"""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    def give(**changes: str | None) -> None:
        for name, value in (SAGEMAKER | {"STRATIGOS_HOME": str(tmp_path)} | changes).items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    return give


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("STRATIGOS_COMPUTE", "batch", "ray, ray:auto, ray:HOST:PORT, sagemaker"),
        ("SAGEMAKER_IMAGE", None, "a value, since STRATIGOS_COMPUTE is sagemaker"),
        ("SAGEMAKER_IMAGE", "stratigos:latest", "ACCOUNT.dkr.ecr.REGION"),
        ("SAGEMAKER_ROLE", None, "a value, since STRATIGOS_COMPUTE is sagemaker"),
        ("SAGEMAKER_ROLE", "desk", "the ARN of a role"),
        ("SAGEMAKER_STORAGE", None, "a value, since STRATIGOS_COMPUTE is sagemaker"),
        ("SAGEMAKER_STORAGE", "desk-jobs/prod", "s3://BUCKET"),
        ("SAGEMAKER_STORAGE", "s3://desk-jobs/../x", "s3://BUCKET"),
        ("SAGEMAKER_INSTANCES", "0", "a whole number, 1 to 20"),
        ("SAGEMAKER_INSTANCES", "21", "a whole number, 1 to 20"),
        ("SAGEMAKER_INSTANCE_TYPE", "c5.4xlarge", "an instance type of SageMaker"),
        ("SAGEMAKER_INSTANCE_TYPE", "ml.own.large", "ml.c5.4xlarge"),
        ("SAGEMAKER_KMS_KEY", "a key", "the id or the ARN of a key"),
        ("SAGEMAKER_SUBNETS", "subnet-0a1b2c3d", "a value, since SAGEMAKER_SUBNETS is set"),
        ("SAGEMAKER_SUBNETS", "10.0.0.0/8", "up to 16 ids such as subnet-"),
        ("SAGEMAKER_SECURITY_GROUPS", "sg-0a1b2c3d", "a value, since SAGEMAKER_SECURITY_GROUPS is set"),
        ("SAGEMAKER_SECURITY_GROUPS", "default", "up to 5 ids such as sg-"),
        ("SAGEMAKER_NETWORK_ISOLATION", "perhaps", "true or false"),
        ("SAGEMAKER_TAGS", "team", "pairs such as team=allocation"),
        ("SAGEMAKER_TAGS", "owner=me", "other names"),
        ("SAGEMAKER_TAGS", "aws:x=me", "other names"),
        ("SAGEMAKER_TAGS", "a=1,a=2", "other names"),
        ("SAGEMAKER_MAX_HOURS", "217", "at most 216"),
        ("SAGEMAKER_ATTEMPTS", "0", "a whole number, 1 to 20"),
        ("INSTANCE_PRICES", "no/such/file", "a TOML file like desk/compute/instance_prices.toml"),
    ],
)
def test_invalid_values_are_refused_with_their_field(
    given: Callable[..., None], variable: str, value: str | None, allowed: str
) -> None:
    given(**{variable: value})
    with pytest.raises(InvalidInput) as refused:
        read_settings()
    assert allowed in refused.value.allowed
    assert refused.value.field in (variable, "SAGEMAKER_SUBNETS", "SAGEMAKER_SECURITY_GROUPS")


def test_all_missing_settings_are_named(given: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    given(SAGEMAKER_IMAGE=None, SAGEMAKER_STORAGE=None, SAGEMAKER_SUBNETS="subnet-0a1b2c3d")
    missing = "SAGEMAKER_IMAGE, SAGEMAKER_STORAGE, SAGEMAKER_SECURITY_GROUPS: are not set; expected a value of each"
    with pytest.raises(InvalidInput) as refused:
        read_settings()
    assert str(refused.value) == f"{missing}, since STRATIGOS_COMPUTE is sagemaker and SAGEMAKER_SUBNETS is set"
    given(STRATIGOS_COMPUTE=None, SAGEMAKER_ROLE=None, SAGEMAKER_STORAGE=None, SAGEMAKER_SUBNETS=None)
    assert run(["pipeline", "definition"]) == 2
    error = "SAGEMAKER_ROLE, SAGEMAKER_STORAGE: are not set; expected a value of each, since a pipeline of SageMaker"
    assert capsys.readouterr().err == f"{error} is requested\n"


def test_without_sagemaker_its_settings_may_be_incomplete(given: Callable[..., None]) -> None:
    given(STRATIGOS_COMPUTE=None, SAGEMAKER_ROLE=None)
    assert read_settings().compute == ""


def test_settings_become_the_cluster_of_the_jobs(given: Callable[..., None]) -> None:
    given(
        SAGEMAKER_TAGS="team=allocation,stage=prod",
        SAGEMAKER_SUBNETS="subnet-0a1b2c3d,subnet-0a1b2c3e",
        SAGEMAKER_SECURITY_GROUPS="sg-0a1b2c3d",
    )
    cluster = cluster_of(read_settings())
    assert (cluster.bucket, cluster.prefix) == ("desk-jobs", "prod/desk-1")
    assert cluster.tags == (("team", "allocation"), ("stage", "prod"))
    assert cluster.subnets == ("subnet-0a1b2c3d", "subnet-0a1b2c3e")
    assert cluster.network_isolation
    assert cluster.uri(cluster.key("j", "work")) == "s3://desk-jobs/prod/desk-1/jobs/j/work"
    given(SAGEMAKER_STORAGE="s3://desk-jobs")
    assert cluster_of(read_settings()).key("j", "work") == "jobs/j/work"


async def test_machines_come_from_the_settings_without_calls_to_aws(given: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    given(
        SAGEMAKER_INSTANCES="3", SAGEMAKER_INSTANCE_TYPE="ml.own.large", INSTANCE_PRICES=str(tmp_path / "prices.toml")
    )
    async with create_dependencies(read_settings()) as dependencies:
        machines = dependencies.jobs.machines
    assert (machines.kind, machines.instances, machines.cores, machines.remote) == ("sagemaker", 3, 9, True)
    assert (machines.instance_type, machines.dollars_per_hour) == ("ml.own.large", 0.5)
    given(STRATIGOS_COMPUTE=None)
    async with create_dependencies(read_settings()) as dependencies:
        assert (dependencies.jobs.machines.kind, dependencies.jobs.machines.remote) == ("local", False)


async def test_doctor_reports_where_searches_are_computed(
    given: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    given()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    finding = await check_compute(read_settings())
    assert finding.state == "failed"
    assert finding.found.startswith("s3 is unavailable (neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY")
    assert "SAGEMAKER_STORAGE" in finding.todo
    given(STRATIGOS_COMPUTE="ray:127.0.0.1:1")
    finding = await check_compute(read_settings())
    assert finding.state == "failed"
    assert finding.found.startswith("no cluster responds at 127.0.0.1:1 (STRATIGOS_COMPUTE): [Err")
    given(STRATIGOS_COMPUTE="ray:127.0.0.1:99999")
    finding = await check_compute(read_settings())
    assert (finding.state, finding.found) == ("failed", "STRATIGOS_COMPUTE: 'ray:127.0.0.1:99999' is not allowed")
    assert finding.todo.startswith("set STRATIGOS_COMPUTE to ray, ray:auto, or ray:HOST:PORT of the head")
    given(STRATIGOS_COMPUTE="ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert (await check_compute(read_settings())).found == "searches run on ray"
    for address, text in (
        ("desk", "RAY_ADDRESS: 'desk' is not allowed"),
        ("127.0.0.1:1", "127.0.0.1:1 (RAY_ADDRESS)"),
    ):
        monkeypatch.setenv("RAY_ADDRESS", address)
        finding = await check_compute(read_settings())
        assert (finding.state, text in finding.found) == ("failed", True), finding
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ray", None)
        assert (await check_compute(read_settings())).found == "Ray is not installed"
    given(STRATIGOS_COMPUTE=None)
    assert (await check_compute(read_settings())).found == "searches run on this machine"
