"""The model factory: from settings to the chat models that drive each agent."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel

from agents.models.options import BEDROCK, EMBEDDED, ModelOptions, Patience
from agents.models.prices import FREE, CacheTime, Price, PriceTable, read_prices
from agents.planner.planner import EmbeddedPlanner
from agents.recording.scrubbing import scrub
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from botocore.client import BaseClient

_OF_BEDROCK = re.compile(r"(?:[a-z]+_)?bedrock:|(?:amazon|anthropic|meta)\.")
"""Names by which LangChain would make another class for models on Bedrock."""


@dataclass(frozen=True)
class NamedModel:
    """A chat model under the name that the trace gives it, without an account number."""

    name: str
    chat: BaseChatModel
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Given with every call."""
    tags: Mapping[str, str] | None = None
    """None for a provider that takes none."""
    price: Price | None = None
    """None where it is not known."""
    cached_for: CacheTime = "5m"

    def tagged(self, tags: Mapping[str, str], listeners: Sequence[BaseCallbackHandler] = ()) -> BaseChatModel:
        """The chat model that sends `tags` and tells `listeners` of its stream, if it takes tags."""
        if self.tags is None:
            return self.chat
        return self.chat.model_copy(update={"request_metadata": {**self.tags, **tags}, "callbacks": list(listeners)})


@dataclass(frozen=True)
class ModelChain:
    """The models of one agent: each is asked when those before it failed."""

    models: tuple[NamedModel, ...]
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Models:
    """The models of all agents."""

    common: ModelChain
    agents: Mapping[str, ModelChain] = field(default_factory=dict[str, ModelChain])
    threads: int | None = None
    """Calls that may run at once in threads; None where no model needs any."""

    @property
    def chains(self) -> tuple[ModelChain, ...]:
        return (self.common, *self.agents.values())

    def of(self, agent: str) -> ModelChain:
        return self.agents.get(agent, self.common)

    @property
    def unpriced(self) -> list[str]:
        """Names of the models whose price is not known."""
        return [model.name for chain in self.chains for model in chain.models if model.price is None]

    @property
    def name(self) -> str:
        """Who is asked first, agent by agent where they differ."""
        own = [f"{agent}: {chain.models[0].name}" for agent, chain in self.agents.items()]
        return "; ".join([self.common.models[0].name, *own])


def only(chat: BaseChatModel, patience: Patience | None = None) -> Models:
    """One chat model for all agents, under its own name."""
    price = FREE if isinstance(chat, EmbeddedPlanner) else None
    return Models(ModelChain((NamedModel(chat.get_name(), chat, price=price),), patience or Patience()))


def make_models(
    options: ModelOptions,
    attach: "Callable[[BaseClient], None] | None" = None,
    *,
    offline: bool = False,
    prices: PriceTable | None = None,
) -> Models:
    """The models that `options` name, or `InvalidInput` that names the setting to mend.

    `attach` is given the client that all calls to Bedrock go through, to record or to answer them; with `offline`
    it answers all of them, and neither credentials nor a region are looked for. `prices` are those of this program
    unless given.
    """
    factory = _Factory(options, attach, offline=offline, prices=prices or read_prices())
    fallbacks = [factory.make(name, "MODEL_FALLBACKS") for name in dict.fromkeys(options.fallbacks)]

    def chain(name: str, setting: str) -> ModelChain:
        first = factory.make(name, setting)
        return ModelChain((first, *(model for model in fallbacks if model is not first)), options.patience)

    own = {agent: chain(name, f"MODEL_{agent.upper()}") for agent, name in options.agents.items()}
    return Models(chain(options.model, "MODEL"), own, factory.threads)


class _Factory:
    """Makes each model once, and one client for all of Bedrock."""

    def __init__(
        self,
        options: ModelOptions,
        attach: "Callable[[BaseClient], None] | None",
        *,
        offline: bool,
        prices: PriceTable,
    ) -> None:
        self._options = options
        self._attach = attach
        self._offline = offline
        self._prices = prices
        self._client: BaseClient | None = None
        self._made: dict[str, NamedModel] = {}

    @property
    def threads(self) -> int | None:
        return None if self._client is None else self._options.threads

    def make(self, name: str, setting: str) -> NamedModel:
        if name not in self._made:
            self._made[name] = self._new(name, setting)
        return self._made[name]

    def _new(self, name: str, setting: str) -> NamedModel:
        if name == EMBEDDED:
            planner = EmbeddedPlanner()
            return NamedModel(planner.get_name(), planner, price=FREE)
        if name.startswith(BEDROCK):
            return self._of_bedrock(name, setting)
        if _OF_BEDROCK.match(name):
            reason = f"{name!r} would be asked without guardrail, tags, time limit and recording"
            raise InvalidInput(setting, name, reason=reason, allowed=f"{BEDROCK}{name.rpartition('bedrock:')[2]}")
        if (guardrail := self._options.guardrail) is not None:
            reason = f"{setting} names {name!r}, which a guardrail of Bedrock does not guard"
            allowed = "a guardrail where all models are on Bedrock"
            raise InvalidInput("BEDROCK_GUARDRAIL_ID", guardrail.id, reason=reason, allowed=allowed)
        return NamedModel(name, _of_another_provider(name, setting, self._options), price=self._prices.of(name))

    def _of_bedrock(self, name: str, setting: str) -> NamedModel:
        from agents.models import bedrock

        options = self._options
        model_id = name.removeprefix(BEDROCK)
        base = bedrock.base_model(model_id, options.base_model, setting)
        if self._client is None:
            self._client = bedrock.client(
                region=options.region,
                time_limit=options.patience.time_limit,
                threads=options.threads,
                offline=self._offline,
            )
            if self._attach is not None:
                self._attach(self._client)
        guardrail = options.guardrail
        chat = bedrock.chat(
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
        caching = options.prompt_cache != "off" and bedrock.caches_prompts(base)
        settings = {"cache_control": {"type": "ephemeral", "ttl": options.prompt_cache}} if caching else {}
        price = self._prices.of(
            base,
            anywhere=bedrock.is_global(model_id, options.base_model, setting),
            tier=options.service_tier or "default",
        )
        tags = {"application": "stratigos", **options.tags}
        cached_for = "1h" if options.prompt_cache == "1h" else "5m"
        return NamedModel(scrub(name), chat, settings, tags, price, cached_for)


def _of_another_provider(name: str, setting: str, options: ModelOptions) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    given: dict[str, Any] = {} if options.temperature is None else {"temperature": options.temperature}
    try:
        # retries are ours, with one time limit over all of them
        return init_chat_model(name, max_tokens=options.max_tokens, max_retries=0, **given)
    except (ImportError, ValueError) as error:
        reason = f"{name!r} cannot be made: {str(error).partition(chr(10))[0]}"
        allowed = f"{EMBEDDED}, {BEDROCK}<model id or inference-profile ARN>, or a name that init_chat_model knows"
        raise InvalidInput(setting, name, reason=reason, allowed=allowed) from error
