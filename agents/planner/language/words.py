"""The words of a message, and the marks that name what they mean."""

from dataclasses import dataclass

from agents.planner.language.spelling import stem


@dataclass(frozen=True)
class Word:
    text: str
    start: int
    end: int

    @property
    def stem(self) -> str:
        return stem(self.text)


@dataclass(frozen=True)
class Mark:
    kind: str
    value: str
    start: int
    end: int
    text: str
