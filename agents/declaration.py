"""What an agent's declaration holds: `agents/declarations/` has one per module, `agents.table` collects them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from desk.base.text import title
from desk.figures.figures import Claim, Section
from desk.governance.usage import AgentName
from quant.numeric.frozen import Frozen

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

Report = TypeVar("Report", bound=BaseModel)

ToolCall: TypeAlias = tuple[str, dict[str, Any]]
"""The name and the arguments of a tool."""


@dataclass(frozen=True)
class ToolOutput:
    """What a tool returned to the embedded planner: its result as JSON, or an error text if it `failed`."""

    tool: str
    content: str
    failed: bool = False


Rule: TypeAlias = Callable[[str, Sequence[ToolOutput]], Frozen | Sequence[ToolCall]]
"""The embedded planner as one agent: from the task and the tools' outputs, the answer or the next tool calls."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One agent; its system prompt is `prompts/<name>.md`, and the graph of `works_in` decides when it is asked."""

    name: AgentName
    """The module of `agents/declarations` that declares it; also its node of the graph."""
    task: str
    """What it does in a run, in a few words, as progress shows it."""
    works_in: Literal["optimization", "conversation"]
    start_share: float
    """Share of a run or turn that is over when the agent begins; also its place among the agents."""
    tools: Callable[[], Sequence["BaseTool"]]
    """Imports the tools, which need LangChain; commands and routes that only name the agents stay light."""
    answer: type[Frozen]
    max_tool_calls: int
    max_model_calls: int
    absence: str
    """What code does if the agent gives no answer; completes `The risk manager gave no answer; ...`."""
    interruption: str
    """What a spent budget prevents; completes `The run's budget of tokens was spent before the ...`."""
    rule: Rule
    prompt_values: Mapping[str, object] = field(default_factory=dict[str, object])
    """Values that fill in the prompt."""

    @property
    def title(self) -> str:
        """The name as words, as events and reports show it."""
        return title(self.name)

    @property
    def node_fields(self) -> dict[str, Any]:
        """The fields of `NodeStarted` that say what the agent's node does and when it begins."""
        heading = f"{self.title}: {self.task}" if self.works_in == "optimization" else self.title
        return {"title": heading, "share": self.start_share}

    @property
    def absence_sentence(self) -> str:
        """The warning in a result about an agent that gave no answer."""
        return f"The {self.title.lower()} gave no answer; {self.absence}."


def read_outputs(outputs: Sequence[ToolOutput], tool: str, kind: type[Report]) -> list[Report]:
    """The results of `tool` that succeeded, in the order of the calls."""
    return [kind.model_validate_json(each.content) for each in outputs if each.tool == tool and not each.failed]


def claims_of(section: Section, texts: Sequence[str]) -> tuple[Claim, ...]:
    return tuple(Claim(section=section, text=text) for text in texts)
