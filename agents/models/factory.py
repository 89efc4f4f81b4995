"""The model factory: from settings to the chat models of each agent.

To add a model provider, add a branch to `_ModelFactory._create` and a module like `agents.models.bedrock`; providers
that LangChain's `init_chat_model` knows need no code. The libraries of providers are imported when a model is created.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel

from agents.embedded_planner import EmbeddedPlanner
from agents.models.circuit_breaker import CircuitBreaker
from agents.models.options import BEDROCK, EMBEDDED, ModelOptions, RetryPolicy, Secret
from agents.models.prices import FREE, CacheTime, Price, PriceTable, read_prices
from agents.models.prompt_cache import PromptCache, cache_of
from agents.recording.scrubbing import scrub
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from botocore.client import BaseClient

_OF_BEDROCK = re.compile(r"(?:[a-z]+_)?bedrock:|(?:amazon|anthropic|meta)\.")
"""Names for which LangChain would create another class for models on Bedrock."""


@dataclass(frozen=True)
class NamedModel:
    """A chat model with the name that traces show, which contains no account number."""

    name: str
    chat: BaseChatModel
    tags: Mapping[str, str] | None = None
    """Request metadata; None for a provider without it."""
    price: Price | None = None
    """None if the price is unknown."""
    cache: PromptCache | None = None
    """None for a model without a prompt cache."""

    @property
    def cached_for(self) -> CacheTime:
        return "5m" if self.cache is None else self.cache.time

    def tagged(self, tags: Mapping[str, str], listeners: Sequence[BaseCallbackHandler] = ()) -> BaseChatModel:
        """The chat model with `tags` as request metadata and `listeners` on its stream, if the provider has tags."""
        if self.tags is None:
            return self.chat
        return self.chat.model_copy(update={"request_metadata": {**self.tags, **tags}, "callbacks": list(listeners)})


@dataclass(frozen=True)
class ModelChain:
    """The models of one agent, in the order of fallback."""

    models: tuple[NamedModel, ...]
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker(rest=0.0))
    """Shared by the chains of all agents."""


@dataclass(frozen=True)
class Models:
    """The models of all agents."""

    common: ModelChain
    agents: Mapping[str, ModelChain] = field(default_factory=dict[str, ModelChain])
    threads: int | None = None
    """Concurrent calls in threads; None if no model needs threads."""

    @property
    def chains(self) -> tuple[ModelChain, ...]:
        return (self.common, *self.agents.values())

    def of(self, agent: str) -> ModelChain:
        return self.agents.get(agent, self.common)

    @property
    def unpriced(self) -> list[str]:
        """Names of the models whose price is unknown."""
        return [model.name for chain in self.chains for model in chain.models if model.price is None]

    @property
    def name(self) -> str:
        """The first model of the chain, agent by agent where they differ."""
        own = [f"{agent}: {chain.models[0].name}" for agent, chain in self.agents.items()]
        return "; ".join([self.common.models[0].name, *own])


def single_model(chat: BaseChatModel, retry_policy: RetryPolicy | None = None) -> Models:
    """One chat model for all agents, under its own name."""
    price = FREE if isinstance(chat, EmbeddedPlanner) else None
    return Models(ModelChain((NamedModel(chat.get_name(), chat, price=price),), retry_policy or RetryPolicy()))


def make_models(
    options: ModelOptions,
    attach: "Callable[[BaseClient], None] | None" = None,
    *,
    offline: bool = False,
    prices: PriceTable | None = None,
    token: Secret | None = None,
) -> Models:
    """The models that `options` name; raises `InvalidInput` with the setting that is wrong.

    `attach` receives the client of all Bedrock calls, to record or to replay them; with `offline` it must answer
    all of them, and no credentials or region are needed. `prices` defaults to the table of this program; `token` is
    the bearer token of Bedrock, by default that of the environment.
    """
    factory = _ModelFactory(options, attach, offline=offline, prices=prices or read_prices(), token=token)
    breaker = CircuitBreaker(options.patience.rest)
    fallbacks = [factory.model(name, "MODEL_FALLBACKS") for name in dict.fromkeys(options.fallbacks)]

    def chain(name: str, setting: str) -> ModelChain:
        first = factory.model(name, setting)
        return ModelChain((first, *(model for model in fallbacks if model is not first)), options.patience, breaker)

    own = {agent: chain(name, f"MODEL_{agent.upper()}") for agent, name in options.agents.items()}
    return Models(chain(options.model, "MODEL"), own, factory.threads)


class _ModelFactory:
    """Creates each model once, and one client for all models on Bedrock."""

    def __init__(
        self,
        options: ModelOptions,
        attach: "Callable[[BaseClient], None] | None",
        *,
        offline: bool,
        prices: PriceTable,
        token: Secret | None,
    ) -> None:
        self._options = options
        self._attach = attach
        self._offline = offline
        self._prices = prices
        self._token = token
        self._client: BaseClient | None = None
        self._models: dict[str, NamedModel] = {}

    @property
    def threads(self) -> int | None:
        return None if self._client is None else self._options.threads

    def model(self, name: str, setting: str) -> NamedModel:
        if name not in self._models:
            self._models[name] = self._create(name, setting)
        return self._models[name]

    def _create(self, name: str, setting: str) -> NamedModel:
        if name == EMBEDDED:
            planner = EmbeddedPlanner()
            return NamedModel(planner.get_name(), planner, price=FREE)
        if name.startswith(BEDROCK):
            return self._bedrock_model(name, setting)
        if _OF_BEDROCK.match(name):
            reason = f"{name!r} would be called without guardrail, tags, time limit and recording"
            raise InvalidInput(setting, name, reason=reason, allowed=f"{BEDROCK}{name.rpartition('bedrock:')[2]}")
        if (guardrail := self._options.guardrail) is not None:
            reason = f"{setting} names {name!r}, which a guardrail of Bedrock does not guard"
            allowed = "a guardrail only if all models are on Bedrock"
            raise InvalidInput("BEDROCK_GUARDRAIL_ID", guardrail.id, reason=reason, allowed=allowed)
        return NamedModel(name, _langchain_model(name, setting, self._options), price=self._prices.of(name))

    def _bedrock_model(self, name: str, setting: str) -> NamedModel:
        from agents.models import bedrock

        options = self._options
        model_id = name.removeprefix(BEDROCK)
        base = bedrock.base_model(model_id, options.base_model, setting)
        if self._client is None:
            self._client = bedrock.create_client(
                region=options.region,
                time_limit=options.patience.time_limit,
                threads=options.threads,
                offline=self._offline,
                token=self._token,
            )
            if self._attach is not None:
                self._attach(self._client)
        guardrail = options.guardrail
        chat = bedrock.create_chat_model(
            self._client,
            model_id,
            base,
            setting,
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            streaming=options.streaming,
            service_tier=options.service_tier,
            guardrail=(guardrail.id, guardrail.version) if guardrail else None,
        )
        cache = None if options.prompt_cache == "off" else cache_of(base, options.prompt_cache)
        price = self._prices.of(
            base,
            anywhere=bedrock.is_global(model_id, options.base_model, setting),
            tier=options.service_tier or "default",
        )
        tags = {"application": "stratigos", **options.tags}
        return NamedModel(scrub(name), chat, tags, price, cache)


def _langchain_model(name: str, setting: str, options: ModelOptions) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    sampling: dict[str, Any] = {} if options.temperature is None else {"temperature": options.temperature}
    try:
        # no retries in the library: `agents.models.retries` retries under one time limit
        return init_chat_model(name, max_tokens=options.max_tokens, max_retries=0, **sampling)
    except (ImportError, ValueError) as error:
        reason = f"{name!r} cannot be created: {str(error).partition(chr(10))[0]}"
        allowed = f"{EMBEDDED}, {BEDROCK}<model id or inference-profile ARN>, or a name that init_chat_model knows"
        raise InvalidInput(setting, name, reason=reason, allowed=allowed) from error
