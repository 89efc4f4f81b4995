"""Bedrock: a guardrail with versions, and an inference profile for each agent, so that bills name the agent."""

from aws_cdk import CfnTag
from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

from agents.table import AGENTS
from infra.blocks.stack import StageStack
from infra.config import APPLICATION, StageConfig
from infra.guardrail import FILTERS, REFUSAL, SECRETS, digest
from infra.stacks.foundation import Foundation


class Agents(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, foundation: Foundation) -> None:
        super().__init__(scope, "agents", config)
        guardrail = self._guardrail(foundation)
        version = bedrock.CfnGuardrailVersion(
            self,
            "guardrail-version",
            guardrail_identifier=guardrail.attr_guardrail_id,
            # a version is a copy, and CloudFormation makes another one only when its own properties change
            description=digest(FILTERS, SECRETS, REFUSAL),
        )
        self.guardrail = (guardrail.attr_guardrail_id, version.attr_version)
        self.guardrail_arn = guardrail.attr_guardrail_arn
        source = self.arn("bedrock", f"inference-profile/{config.model}")
        self.profiles = {name: self._profile(name, source) for name in AGENTS}
        foundation_model = config.model.partition(".")[2]
        self.models = [
            f"arn:aws:bedrock:{region}::foundation-model/{foundation_model}" for region in config.model_regions
        ]

    def _profile(self, agent: str, source: str) -> str:
        profile = bedrock.CfnApplicationInferenceProfile(
            self,
            f"{agent}-profile",
            inference_profile_name=self.config.named(agent.replace("_", "-")),
            description=f"Calls of the agent {agent}",
            model_source=bedrock.CfnApplicationInferenceProfile.InferenceProfileModelSourceProperty(copy_from=source),
            tags=[
                CfnTag(key=key, value=value)
                for key, value in (("agent", agent), ("application", APPLICATION), ("stage", self.config.name))
            ],
        )
        return profile.attr_inference_profile_arn

    def _guardrail(self, foundation: Foundation) -> bedrock.CfnGuardrail:
        """Filters of content, instructions in texts, and secrets. It blocks no figures: the program checks these."""
        filters = [
            bedrock.CfnGuardrail.ContentFilterConfigProperty(type=each, input_strength=read, output_strength=written)
            for each, (read, written) in FILTERS.items()
        ]
        return bedrock.CfnGuardrail(
            self,
            "guardrail",
            name=self.config.named("guardrail"),
            description="Content of messages to and from the agents",
            kms_key_arn=foundation.data_key.key_arn,
            blocked_input_messaging=REFUSAL,
            blocked_outputs_messaging=REFUSAL,
            content_policy_config=bedrock.CfnGuardrail.ContentPolicyConfigProperty(filters_config=filters),
            sensitive_information_policy_config=bedrock.CfnGuardrail.SensitiveInformationPolicyConfigProperty(
                pii_entities_config=[
                    bedrock.CfnGuardrail.PiiEntityConfigProperty(type=each, action="BLOCK") for each in SECRETS
                ]
            ),
        )
