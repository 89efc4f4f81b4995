"""The settings of the processes: what `docs/settings.md` describes, with the names of the stage's resources."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.table import AGENTS
from infra.config import StageConfig


@dataclass(frozen=True)
class Places:
    """Names and addresses of the resources that the settings refer to."""

    tables: str
    """The prefix of the store's tables."""
    checkpoints: str
    documents: str
    queue: str
    dead: str
    sockets: str
    issuer: str
    client: str
    jobs: str
    job_role: str
    image: str
    models: Mapping[str, str]
    """The ARN of each agent's inference profile; empty for the embedded planner."""
    guardrail: tuple[str, str] | None
    """Id and version."""
    data_key: str


def environment(config: StageConfig, places: Places) -> dict[str, str]:
    """The settings that all processes share."""
    return {
        "STRATIGOS_STORE": f"dynamodb:{places.tables},s3:{places.documents}",
        "STRATIGOS_CHECKPOINTS": f"dynamodb:{places.checkpoints},s3:{places.documents}",
        "STRATIGOS_QUEUE": f"sqs:{places.queue},dead:{places.dead}",
        "STRATIGOS_SOCKETS": places.sockets,
        "STRATIGOS_AUTH": "keys,cognito",
        "COGNITO_ISSUER": places.issuer,
        "COGNITO_CLIENTS": places.client,
        "STRATIGOS_LOG": "stdout",
        "STRATIGOS_METRICS": "emf",
        "STRATIGOS_DEPLOYMENT": config.prefix,
        **({"CORS_ORIGINS": config.page} if config.domain else {}),  # behind API Gateway the host is another
        **_computation(config, places),
        **_models(config, places),
    }


def _computation(config: StageConfig, places: Places) -> dict[str, str]:
    if not config.processing_jobs:
        return {}
    return {
        "STRATIGOS_COMPUTE": "sagemaker",
        "SAGEMAKER_IMAGE": places.image,
        "SAGEMAKER_ROLE": places.job_role,
        "SAGEMAKER_STORAGE": f"s3://{places.jobs}",
        "SAGEMAKER_INSTANCES": str(config.processing_instances),
        "SAGEMAKER_KMS_KEY": places.data_key,
        "SAGEMAKER_TAGS": f"stage={config.name},cost-centre={config.cost_centre}",
    }


def _models(config: StageConfig, places: Places) -> dict[str, str]:
    if not places.models:
        return {"MODEL": "embedded"}
    base = config.model.partition(".")[2]
    agents = {f"MODEL_{name.upper()}": f"bedrock_converse:{places.models[name]}" for name in AGENTS}
    guardrail = (
        {"BEDROCK_GUARDRAIL_ID": places.guardrail[0], "BEDROCK_GUARDRAIL_VERSION": places.guardrail[1]}
        if places.guardrail
        else {}
    )
    return {
        "MODEL": agents["MODEL_ASSISTANT"],
        **agents,
        **guardrail,
        "BEDROCK_BASE_MODEL": base,
        "MODEL_TAGS": f"stage={config.name},cost-centre={config.cost_centre}",
    }
