"""Replays of shipped cassettes in other processes: environments, and what they report."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cassette_playback import CASSETTES

ROOT = CASSETTES.parents[1]
SAME = ("The trace is the same as recorded", "Attempts to reach the network: 0")

ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "no_home": {"HOME": None},
    "wrong_profile": {"AWS_PROFILE": "missing", "AWS_DEFAULT_PROFILE": "missing"},
    "other_region": {"AWS_REGION": "mars-north-1", "AWS_DEFAULT_REGION": "mars-north-1"},
    "half_a_key": {"AWS_ACCESS_KEY_ID": "AKIAQWERTYUIOPASDFGH"},
    "bearer_token": {"AWS_BEARER_TOKEN_BEDROCK": "token"},
    "aws_files": {"AWS_CONFIG_FILE": "/nowhere/config", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials"},
    "aws_modes": {"AWS_RETRY_MODE": "odd", "AWS_DEFAULTS_MODE": "odd", "AWS_MAX_ATTEMPTS": "none"},
    "aws_endpoints": {"AWS_ENDPOINT_URL": "ftp://nowhere", "AWS_USE_FIPS_ENDPOINT": "true"},
    "proxies": {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://no:1"},
    "certificates": {"AWS_CA_BUNDLE": "/nowhere.pem", "REQUESTS_CA_BUNDLE": "/nowhere.pem"},
    "zone": {"TZ": "Pacific/Kiritimati"},
    "locale": {"LANG": "tr_TR.UTF-8", "LC_ALL": "C"},
    "langsmith": {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9"},
    "langchain": {"LANGCHAIN_TRACING_V2": "true", "LANGCHAIN_TRACING": "true", "LANGCHAIN_API_KEY": "x"},
    "gateway": {"LANGSMITH_GATEWAY": "true", "LANGSMITH_GATEWAY_API_KEY": "x"},
    "exporters": {"STRATIGOS_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    "other_store": {"STRATIGOS_STORE": "dynamodb:none,s3:none", "STRATIGOS_CHECKPOINTS": "dynamodb:none"},
    "other_compute": {"STRATIGOS_COMPUTE": "ray", "STRATIGOS_QUEUE": "sqs:http://127.0.0.1:9,dead:http://127.0.0.1:9"},
    "other_models": {"MODEL": "no such model", "MODEL_PRICES": "/nowhere.toml", "BUDGET_RUN_TOKENS": "1"},
    "invalid_settings": {"STRATIGOS_PORT": "none", "STRATIGOS_LOG_LEVEL": "loud", "APPROVE_EVALUATIONS": "0"},
}


def all_but(*names: str) -> dict[str, str | None]:
    """All environments at once, without those of `names`."""
    return {k: v for name, variables in ENVIRONMENTS.items() if name not in names for k, v in variables.items()}


def replay_in(folder: Path, cassette: str, variables: Mapping[str, str | None], *, read_only: bool = False) -> str:
    """What `python -m api replay` prints in an environment with these variables, in a home of its own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "STRATIGOS_HOME": str(home / "desk")}
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    home.chmod(0o500 if read_only else 0o700)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "api", "replay", str(CASSETTES / f"{cassette}.yaml")],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        home.chmod(0o700)
    return f"{done.returncode}\n{done.stdout}\n{done.stderr}"
