"""Alarms and dashboards, on the metrics that the program emits and on those of AWS."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_ce as costs
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from constructs import Construct

from api.operations.metrics import LEVELS, NAMESPACE
from infra.blocks.stack import StageStack
from infra.config import StageConfig
from infra.stacks.compute import Compute
from infra.stacks.foundation import Foundation
from infra.stacks.service import HttpInterface

ANSWERS = ("Requests2xx", "Requests3xx", "Requests4xx", "Requests5xx")
LOG_NAMESPACE = f"{NAMESPACE}/Log"
LOST_AUDIT = "LostAuditOutcomes"
FIVE_MINUTES = Duration.minutes(5)
MISSING = cloudwatch.TreatMissingData
OVER, UNDER = (
    cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
)
MOST_ERRORS, MOST_FAILED_JOBS, MOST_DATA_DAYS = 5, 2, 3
OLDEST_MESSAGE = Duration.hours(2)
LOG_FIELDS = ("@timestamp", "event", "level", "reason", "run", "request_id")


class Observability(StageStack):
    def __init__(
        self, scope: Construct, config: StageConfig, *, foundation: Foundation, compute: Compute, service: HttpInterface
    ) -> None:
        super().__init__(scope, "observability", config)
        self._action = cast("cloudwatch.IAlarmAction", actions.SnsAction(foundation.alarms))
        self._compute, self._service = compute, service
        processes = ["lambda"]
        if config.service == "fargate":
            processes.append("serve")
        if config.workers == "fargate":
            processes.append("work")
        self._processes = processes
        self._program_alarms()
        self._queue_alarms()
        self._function_alarms()
        self._log_alarms()
        self._cost_anomalies(foundation)
        self._dashboards()

    def emitted(self, name: str, period: Duration, statistic: str = "Sum") -> cloudwatch.IMetric:
        """A metric of the program, over all its processes."""
        parts = {
            f"{name[0].lower()}{name[1:]}_{process}": cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=name,
                dimensions_map={"Service": self.config.prefix, "Process": process},
                statistic=statistic,
                period=period,
            )
            for process in self._processes
            if process != "serve" or name not in LEVELS  # the service does not look at the queue and the prices
        }
        join = "SUM" if statistic == "Sum" else "MAX"
        return cloudwatch.MathExpression(
            expression=f"{join}([{', '.join(f'FILL({each}, 0)' if join == 'SUM' else each for each in parts)}])",
            using_metrics=parts,
            period=period,
            label=name,
        )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        comparison: cloudwatch.ComparisonOperator = OVER,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = MISSING.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self.config.named(name),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)

    def _program_alarms(self) -> None:
        answers = {f"answers{index}": self.emitted(name, FIVE_MINUTES) for index, name in enumerate(ANSWERS)}
        rate = cloudwatch.MathExpression(
            expression=f"100 * answers3 / ({' + '.join(answers)})",
            using_metrics=answers,
            period=FIVE_MINUTES,
            label="share of answers that are errors of the service, percent",
        )
        self._alarm("error-rate", "More than 1% of the answers in five minutes are errors of the service", rate, 1)
        self._alarm(
            "errors", "Faults and failed models in five minutes", self.emitted("Errors", FIVE_MINUTES), MOST_ERRORS
        )
        failed = self.emitted("JobsFailed", Duration.minutes(15))
        self._alarm("failed-jobs", "Jobs that failed within fifteen minutes", failed, MOST_FAILED_JOBS)
        self._alarm(
            "data-age",
            "The newest prices of the default universe are too old",
            self.emitted("DataAgeDays", Duration.hours(1), "Maximum"),
            MOST_DATA_DAYS,
        )
        self._alarm(
            "model-dollars",
            "What the models cost in a day",
            self.emitted("Dollars", Duration.days(1)),
            self.config.model_dollars_per_day,
        )

    def _queue_alarms(self) -> None:
        for name, queue in (("dead-jobs", self._compute.dead), ("failed-events", self._compute.failed_events)):
            visible = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
            self._alarm(name, f"Messages in the queue {name}: see docs/operations.md", visible, 0)
        oldest = self._compute.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES, statistic="Maximum")
        self._alarm(
            "oldest-job", "A job waits or returns to the queue again and again", oldest, OLDEST_MESSAGE.to_seconds()
        )

    def _function_alarms(self) -> None:
        functions = {"tasks": self._compute.tasks, "sockets": self._service.sockets}
        if self._compute.worker is not None:
            functions["worker"] = self._compute.worker
        if self._service.function is not None:
            functions["http"] = self._service.function
        for name, function in functions.items():
            errors = function.metric_errors(period=FIVE_MINUTES, statistic="Sum")
            self._alarm(f"{name}-function-errors", f"Failed invocations of the function {name}", errors, 0)
            throttles = function.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
            self._alarm(f"{name}-function-throttles", f"Rejected invocations of the function {name}", throttles, 0)
        invocations = self._compute.tasks.metric_invocations(period=FIVE_MINUTES, statistic="Sum")
        self._alarm(
            "tasks-not-started",
            "The schedule has not started the sweep for fifteen minutes",
            invocations,
            1,
            comparison=UNDER,
            periods=3,
            missing=MISSING.BREACHING,
        )
        self._alarm(
            "unanswered",
            "Requests that the API or the load balancer failed itself",
            self._service.unanswered,
            MOST_ERRORS,
        )
        if self._service.targets is not None:
            unhealthy = self._service.targets.metrics.unhealthy_host_count(period=FIVE_MINUTES, statistic="Maximum")
            self._alarm("unhealthy-tasks", "Tasks of the service that do not answer", unhealthy, 0)

    def _log_alarms(self) -> None:
        """Log lines without a metric of the program that a person must see."""
        for index, group in enumerate((*self._compute.process_logs, *self._service.process_logs)):
            logs.MetricFilter(
                self,
                f"lost-audit-{index}",
                filter_name=self.config.named("lost-audit-outcomes"),
                log_group=group,
                filter_pattern=logs.FilterPattern.string_value("$.event", "=", "audit_outcome_lost"),
                metric_namespace=LOG_NAMESPACE,
                metric_name=f"{self.config.prefix}-{LOST_AUDIT}",
                metric_value="1",
            )
        metric = cloudwatch.Metric(
            namespace=LOG_NAMESPACE,
            metric_name=f"{self.config.prefix}-{LOST_AUDIT}",
            statistic="Sum",
            period=FIVE_MINUTES,
        )
        self._alarm("lost-audit-outcomes", "The outcome of an action could not be written to the audit log", metric, 0)

    def _cost_anomalies(self, foundation: Foundation) -> None:
        monitor = costs.CfnAnomalyMonitor(
            self,
            "cost-monitor",
            monitor_name=self.config.named("costs"),
            monitor_type="CUSTOM",
            monitor_specification=self.to_json_string({"Tags": {"Key": "stage", "Values": [self.config.name]}}),
        )
        dollars = str(max(10, self.config.monthly_dollars // 20))
        costs.CfnAnomalySubscription(
            self,
            "cost-subscription",
            subscription_name=self.config.named("costs"),
            monitor_arn_list=[monitor.attr_monitor_arn],
            frequency="IMMEDIATE",
            subscribers=[
                costs.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=foundation.alarms.topic_arn)
            ],
            threshold_expression=self.to_json_string(
                {
                    "Dimensions": {
                        "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                        "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
                        "Values": [dollars],
                    }
                }
            ),
        )

    def _dashboards(self) -> None:
        counts: Mapping[str, Sequence[str]] = {
            "Jobs": ("JobsCompleted", "JobsFailed", "JobsCancelled"),
            "Chat": ("TurnsAnswered", "TurnsFailed"),
            "Answers over HTTP": ANSWERS,
            "Models": ("ModelAnswers", "ModelRetries", "ModelFailures"),
            "Tokens": ("InputTokens", "CachedTokens", "OutputTokens"),
            "Dollars": ("Dollars",),
        }
        values: Mapping[str, Sequence[str]] = {
            "Seconds of a job": ("JobSeconds",),
            "Seconds of an answer": ("TurnSeconds", "ModelSeconds"),
            "Milliseconds of a request": ("RequestMilliseconds",),
            "Trials per second": ("TrialsPerSecond",),
            "Best objective": ("BestObjective",),
            "Jobs that wait": ("QueueDepth",),
            "Age of the prices in days": ("DataAgeDays",),
        }
        desk = [
            cloudwatch.GraphWidget(title=title, left=[self.emitted(name, FIVE_MINUTES, statistic) for name in names])
            for table, statistic in ((counts, "Sum"), (values, "Maximum"))
            for title, names in table.items()
        ]
        groups = [group.log_group_name for group in (*self._compute.process_logs, *self._service.process_logs)]
        warnings = cloudwatch.LogQueryWidget(
            title="Warnings and errors",
            log_group_names=groups,
            width=24,
            query_lines=[
                f"fields {', '.join(LOG_FIELDS)}",
                "filter level in ['warning', 'error', 'critical']",
                "sort @timestamp desc",
                "limit 50",
            ],
        )
        cloudwatch.Dashboard(
            self,
            "desk",
            dashboard_name=self.config.named("desk"),
            widgets=[desk[index : index + 4] for index in range(0, len(desk), 4)] + [[warnings]],
        )
