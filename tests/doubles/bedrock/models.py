"""What each model on Bedrock accepts in a request, from AWS's documentation.

Models, tools, streamed tools, documents, images and system prompts:
https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
Tool choice: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html, which names Claude,
Nova and Mistral Large; model cards add the families of GPT, Grok, GLM and DeepSeek V3. Claude 5.5 and Fable 5.1 refuse
forced tools: https://platform.claude.com/docs/en/models/opus-5-5/overview
Cache points: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models
Prefill: removed with Claude 4.6, https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6
"""

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

REGION = re.compile(r"(?:us|us-gov|eu|apac|au|ca|in|jp|global)\.")
"""Prefixes of cross-region inference profiles."""
PROFILE = re.compile(r"arn:[^:]*:bedrock:[^:]*:[^:]*:(?:inference-profile|foundation-model)/(.+)")

ALL = frozenset({"auto", "any", "tool"})
ANY = frozenset({"auto", "any"})
AUTO = frozenset({"auto"})


@dataclass(frozen=True, kw_only=True)
class Features:
    """Unknown models, such as those behind the ARN of an application profile, accept everything."""

    tools: bool = True
    streamed_tools: bool = True
    choices: frozenset[str] = ALL
    system: bool = True
    documents: bool = True
    images: bool = True
    prefill: bool = True
    text_beside_results: bool = True
    """Whether a message may hold text next to results of tools."""
    caching: bool = True
    cache_minimum: int = 1024
    """Fewest tokens of a prefix that are cached."""
    cached_tools: bool = True
    """Whether a cache point may stand among the tools or beside blocks of tools."""
    cached_hour: bool = True
    large_documents: tuple[str, ...] = ()
    """Formats without the limit of 4.5 MB."""


UNKNOWN = Features()

_CLAUDE = Features(large_documents=("pdf",))
_NEWER_CLAUDE = replace(_CLAUDE, prefill=False)
_NOVA = Features(cache_minimum=1000, cached_tools=False, cached_hour=False, large_documents=("pdf", "docx"))
_OTHER = Features(choices=AUTO, caching=False, documents=False, images=False)
_UNSTREAMED = replace(_OTHER, streamed_tools=False, documents=True, text_beside_results=False)
_TEXT = replace(_OTHER, tools=False, choices=frozenset())

MODELS: tuple[tuple[Features, tuple[str, ...]], ...] = (
    (replace(_TEXT, system=False, documents=True), ("amazon.titan-text-express-v1", "amazon.titan-text-lite-v1")),
    (replace(_TEXT, system=False), ("amazon.titan-text-premier-v1:0",)),
    (replace(_NOVA, documents=False, images=False), ("amazon.nova-micro-v1:0",)),
    (_NOVA, ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-premier-v1:0", "amazon.nova-2-lite-v1:0")),
    (
        replace(_CLAUDE, caching=False),
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-sonnet-20240229-v1:0"),
    ),
    (
        replace(_CLAUDE, cache_minimum=2048, cached_hour=False, images=False),
        ("anthropic.claude-3-5-haiku-20241022-v1:0",),
    ),
    (
        replace(_CLAUDE, cached_hour=False),
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            "anthropic.claude-opus-4-20250514-v1:0",
            "anthropic.claude-opus-4-1-20250805-v1:0",
            "anthropic.claude-sonnet-4-20250514-v1:0",
        ),
    ),
    (_CLAUDE, ("anthropic.claude-sonnet-4-5-20250929-v1:0",)),
    (
        replace(_CLAUDE, cache_minimum=4096),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-opus-4-5-20251101-v1:0"),
    ),
    (replace(_NEWER_CLAUDE, cache_minimum=4096), ("anthropic.claude-opus-4-6-v1",)),
    (replace(_NEWER_CLAUDE, cache_minimum=2048), ("anthropic.claude-opus-4-7",)),
    (
        _NEWER_CLAUDE,
        (
            "anthropic.claude-haiku-5-5",
            "anthropic.claude-opus-4-8",
            "anthropic.claude-sonnet-4-6",
            "anthropic.claude-sonnet-5",
        ),
    ),
    (replace(_NEWER_CLAUDE, cache_minimum=512), ("anthropic.claude-opus-5", "anthropic.claude-fable-5")),
    (
        replace(_NEWER_CLAUDE, choices=AUTO),
        ("anthropic.claude-fable-5-1", "anthropic.claude-opus-5-5", "anthropic.claude-sonnet-5-5"),
    ),
    (replace(_TEXT, documents=True), ("deepseek.r1-v1:0",)),
    (replace(_OTHER, choices=ANY), ("deepseek.v3-v1:0", "deepseek.v3.2")),
    (replace(_TEXT, images=True), ("google.gemma-3-*-it",)),
    (_OTHER, ("google.gemma-4-26b-a4b", "google.gemma-4-31b", "google.gemma-4-e2b")),
    (_TEXT, ("meta.llama3-8b-instruct-v1:0", "meta.llama3-70b-instruct-v1:0", "meta.llama3-2-[13]b-instruct-v1:0")),
    (
        _UNSTREAMED,
        ("meta.llama3-1-*b-instruct-v1:0", "meta.llama3-2-[19][10]b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"),
    ),
    (
        replace(_UNSTREAMED, images=True),
        ("meta.llama4-maverick-17b-instruct-v1:0", "meta.llama4-scout-17b-instruct-v1:0"),
    ),
    (_OTHER, ("minimax.minimax-m2", "minimax.minimax-m2.[15]")),
    (_TEXT, ("mistral.mistral-7b-instruct-v0:2", "mistral.mixtral-8x7b-instruct-v0:1")),
    (
        replace(_UNSTREAMED, choices=ANY),
        ("mistral.mistral-large-2402-v1:0", "mistral.mistral-large-2407-v1:0"),
    ),
    (replace(_OTHER, choices=ANY, streamed_tools=False), ("mistral.mistral-large-3-675b-instruct",)),
    (
        replace(_OTHER, streamed_tools=False),
        (
            "mistral.devstral-2-123b",
            "mistral.magistral-small-2509",
            "mistral.ministral-3-*b-instruct",
            "mistral.mistral-small-2402-v1:0",
            "mistral.pixtral-large-2502-v1:0",
            "mistral.voxtral-mini-3b-2507",
            "mistral.voxtral-small-24b-2507",
        ),
    ),
    (_OTHER, ("moonshot.kimi-k2-thinking", "moonshotai.kimi-k2.5", "moonshotai.kimi-k3")),
    (_OTHER, ("nvidia.nemotron-nano-*", "nvidia.nemotron-super-3-120b")),
    (
        _OTHER,
        (
            "openai.gpt-oss-*b",
            "openai.gpt-oss-*b-1:0",
            "openai.gpt-oss-safeguard-120b",
            "openai.gpt-oss-safeguard-20b",
        ),
    ),
    (replace(_OTHER, choices=ALL), ("openai.gpt-5.[456]*", "openai.gpt-6-*", "openai.gpt-6.1-sol")),
    (_OTHER, ("qwen.qwen3-*",)),
    (replace(_OTHER, streamed_tools=False), ("writer.palmyra-x4-v1:0", "writer.palmyra-x5-v1:0")),
    (replace(_OTHER, choices=ALL), ("xai.grok-4.[367]", "zai.glm-5.3")),
    (replace(_OTHER, choices=ANY), ("zai.glm-4.7", "zai.glm-4.7-flash", "zai.glm-5")),
)
"""Features and the ids, without region, of the models that have them."""


def features_of(model: str) -> Features | None:
    """The features of a model id or ARN; None if Bedrock has no such model."""
    named = PROFILE.fullmatch(model)
    if named is None and model.startswith("arn:"):
        return UNKNOWN
    base = REGION.sub("", named[1] if named else model, count=1)
    return next((row for row, ids in MODELS if any(fnmatchcase(base, id_) for id_ in ids)), None)
