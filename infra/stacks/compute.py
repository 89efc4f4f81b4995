"""Jobs: the queue, its workers on Lambda or Fargate, the function of tasks, and what SageMaker needs."""

import json
from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.blocks.processes import VISIBILITY, image_function, queue
from infra.blocks.roles import BELOW, LOGIN, PASS_TO_SAGEMAKER, PULL, allow, of_stage, process_role, service_role
from infra.blocks.stack import StageStack
from infra.blocks.tasks import fargate_service, scale_with_queue
from infra.config import StageConfig
from infra.environment import Places, environment
from infra.permissions import COMPUTATIONS, Resource
from infra.stacks.agents import Agents
from infra.stacks.data import Data
from infra.stacks.foundation import AUDIT_KEY, Foundation
from infra.stacks.identity import Identity
from infra.stacks.network import Network
from infra.stacks.sockets import Sockets

FUNCTION_TIMEOUT = Duration.minutes(15)
SCHEDULES = {"sweep": "rate(1 minute)", "cleanup": "cron(30 4 * * ? *)"}
"""Times of the tasks, in UTC."""


class Compute(StageStack):
    def __init__(
        self,
        scope: Construct,
        config: StageConfig,
        *,
        foundation: Foundation,
        network: Network | None,
        data: Data,
        identity: Identity,
        agents: Agents | None,
        sockets: Sockets,
    ) -> None:
        super().__init__(scope, "compute", config)
        self._foundation, self._data, self._agents = foundation, data, agents
        self._sockets = sockets
        self.dead = queue(self, "dead-jobs", key=foundation.data_key)
        self.queue = queue(
            self,
            "jobs",
            key=foundation.data_key,
            visibility=Duration.seconds(VISIBILITY * FUNCTION_TIMEOUT.to_seconds()),
            dead=self.dead,
        )
        self.job_role = self._job_role() if config.processing_jobs else None
        self.image = f"{config.account}.dkr.ecr.{config.region}.amazonaws.com/{config.named('images')}:{config.image}"
        self.settings = environment(config, self._places(identity)) | {
            "STRATIGOS_AUDIT_KEY": f"secretsmanager:{config.named(AUDIT_KEY)}",
        }
        self.cluster = None if network is None or not config.on_fargate else self._cluster(network)
        self.worker = self._worker_function() if config.workers == "lambda" else None
        if config.workers == "fargate":
            self._worker_tasks(network)
        self.tasks = self._task_function()

    def arns(self) -> dict[Resource, list[str]]:
        """The ARNs of the resources that this stage has."""
        config = self.config
        names: tuple[Resource, ...] = ("records", "events", "audit", "checkpoints")
        documents, jobs = (f"arn:aws:s3:::{config.globally_named(name)}" for name in ("documents", "jobs"))
        arns: dict[Resource, list[str]] = {
            **{name: [self.arn("dynamodb", f"table/{config.named(name)}")] for name in names},
            "documents": [documents, f"{documents}/*"],
            "queue": [self.queue.queue_arn],
            "dead": [self.dead.queue_arn],
            "sockets": [self._sockets.connections],
            "data_key": [self._foundation.data_key.key_arn],
            "audit_key": [self._foundation.audit_key.secret_arn],
            "operations_key": [self._foundation.operations_key.key_arn],
        }
        if self.job_role is not None:
            arns |= {
                "jobs": [jobs, f"{jobs}/*"],
                "processing": [self.arn("sagemaker", "processing-job/stratigos-*")],
                "job_role": [self.job_role.role_arn],
            }
        if self._agents is not None:
            arns["model"] = [*self._agents.profiles.values(), *self._agents.models]
            arns["guardrail"] = [self._agents.guardrail_arn]
        return arns

    def _job_role(self) -> iam.Role:
        """The role of SageMaker's instances and pipelines, whose containers have no network and no credentials."""
        bucket = self.config.globally_named("jobs")
        role = service_role(self, "processing", "sagemaker.amazonaws.com", of_account=True)
        files = [f"arn:aws:s3:::{bucket}/*"]
        allow(role, "Files", ["s3:GetObject", "s3:PutObject"], files, reason=BELOW["jobs"])
        allow(role, "Folders", ["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"])
        key = self._foundation.data_key.key_arn
        allow(role, "Key", ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], [key])
        # for the encrypted volumes of its instances
        allow(role, "Volumes", ["kms:CreateGrant"], [key], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}})
        allow(role, "Registry", [LOGIN], ["*"], reason="A login to the registry has no resource.")
        allow(role, "Image", PULL, [self._foundation.repository.repository_arn])
        allow(
            role,
            "Log",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [self.arn("logs", "log-group:/aws/sagemaker/ProcessingJobs*")],
            reason="SageMaker names the streams of this group.",
        )
        allow(
            role,
            "Steps",
            COMPUTATIONS,
            [self.arn("sagemaker", "processing-job/*")],
            reason="SageMaker names the jobs of a pipeline's steps.",
            conditions=of_stage(self),
        )
        itself = self.arn("iam", f"role/{self.config.named('processing')}", region="")
        allow(role, "Itself", ["iam:PassRole"], [itself], conditions=PASS_TO_SAGEMAKER)
        return role

    def _places(self, identity: Identity) -> Places:
        data = self._data
        return Places(
            tables=self.config.prefix,
            checkpoints=data.tables[-1].table_name,
            documents=data.documents.bucket_name,
            queue=self.queue.queue_url,
            dead=self.dead.queue_url,
            sockets=self._sockets.callback,
            issuer=identity.issuer,
            client=identity.client.user_pool_client_id,
            jobs=data.jobs.bucket_name,
            job_role=self.job_role.role_arn if self.job_role else "",
            image=self.image,
            models=self._agents.profiles if self._agents else {},
            guardrail=self._agents.guardrail if self._agents else None,
            data_key=self._foundation.data_key.key_arn,
        )

    def _worker_function(self) -> lambda_.IFunction:
        function = image_function(
            self,
            "worker",
            role=process_role(self, "worker", "worker", "lambda.amazonaws.com", self.arns()),
            repository=self._foundation.repository,
            key=self._foundation.operations_key,
            environment=self.settings,
            memory=self.config.worker_memory,
            timeout=FUNCTION_TIMEOUT,
        )
        lambda_.EventSourceMapping(
            self,
            "worker-queue",
            target=function,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=max(self.config.most_workers, 2),
        )
        return function

    def _cluster(self, network: Network) -> ecs.Cluster:
        return ecs.Cluster(
            self,
            "cluster",
            cluster_name=self.config.named("tasks"),
            vpc=network.vpc,
            enable_fargate_capacity_providers=True,
            # no alarm and no dashboard reads its metrics, which cost as custom ones
            container_insights_v2=ecs.ContainerInsights.DISABLED,
        )

    def _worker_tasks(self, network: Network | None) -> None:
        assert network is not None
        assert self.cluster is not None
        service = fargate_service(
            self,
            "worker",
            network=network,
            cluster=self.cluster,
            role=process_role(self, "worker", "worker", "ecs-tasks.amazonaws.com", self.arns()),
            foundation=self._foundation,
            command=["work"],
            environment=self.settings,
            size=self.config.worker_size,
            spot=True,
            count=1,
        )
        scale_with_queue(service, self.queue, most=self.config.most_workers)

    def _task_function(self) -> lambda_.IFunction:
        """The function of schedules, of notices of SageMaker, of uploaded files and of events on the stage's bus."""
        function = image_function(
            self,
            "tasks",
            role=process_role(self, "tasks", "tasks", "lambda.amazonaws.com", self.arns()),
            repository=self._foundation.repository,
            key=self._foundation.operations_key,
            environment=self.settings,
            memory=self.config.function_memory,
            timeout=FUNCTION_TIMEOUT,
        )
        failed = queue(self, "failed-events", key=self._foundation.data_key)
        self.failed_events = failed
        self._rule(
            "uploads",
            function,
            failed,
            events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self._data.documents.bucket_name]},
                    "object": {"key": [{"prefix": "imports/"}]},
                },
            ),
        )
        if self.config.processing_jobs:
            self._rule(
                "processing-jobs",
                function,
                failed,
                events.EventPattern(
                    source=["aws.sagemaker"],
                    detail_type=["SageMaker Processing Job State Change"],
                    detail={"ProcessingJobName": [{"prefix": "stratigos-"}]},
                ),
            )
        self._rule("tasks", function, failed, events.EventPattern(source=["stratigos"]), bus=self._foundation.bus)
        self._schedules(function, failed)
        return function

    def _rule(
        self,
        name: str,
        function: lambda_.IFunction,
        failed: sqs.IQueue,
        pattern: events.EventPattern,
        bus: events.IEventBus | None = None,
    ) -> None:
        rule = events.Rule(
            self, f"{name}-rule", rule_name=self.config.named(name), event_bus=bus, event_pattern=pattern
        )
        target = targets.LambdaFunction(
            function, dead_letter_queue=failed, retry_attempts=3, max_event_age=Duration.hours(2)
        )
        rule.add_target(cast("events.IRuleTarget", target))

    def _schedules(self, function: lambda_.IFunction, failed: sqs.IQueue) -> None:
        role = service_role(self, "schedules", "scheduler.amazonaws.com", of_account=True)
        allow(role, "Start", ["lambda:InvokeFunction"], [function.function_arn])
        allow(role, "Failed", ["sqs:SendMessage"], [failed.queue_arn])
        allow(role, "Key", ["kms:Decrypt", "kms:GenerateDataKey"], [self._foundation.data_key.key_arn])
        for task, expression in SCHEDULES.items():
            scheduler.CfnSchedule(
                self,
                f"{task}-schedule",
                name=self.config.named(task),
                schedule_expression=expression,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=function.function_arn,
                    role_arn=role.role_arn,
                    input=json.dumps({"task": task}),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=2
                    ),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=failed.queue_arn),
                ),
            )
