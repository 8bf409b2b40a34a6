"""Reads and checks the requests of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sophia_assets.sandbox.language.prompt import Given
from sophia_assets.sandbox.standins.anthropic.errors import Refused
from sophia_assets.sandbox.standins.json_schemas import Rules, WrongSchema, check_depth, check_schema
from sophia_assets.sandbox.standins.model_standin import Asked

VERSION = "2026-10-21"
MOST_TOKENS = 128_000
MOST_TOKENS_WITHOUT_STREAM = 21_333
#: Each model's name, the day it came out and the tokens that it reads at most.
MODELS: Mapping[str, tuple[str, str, int]] = {
    "claude-opus-5-5": ("Claude Opus 5.5", "2026-09-22", 1_000_000),
    "claude-sonnet-5-5": ("Claude Sonnet 5.5", "2026-08-18", 1_000_000),
    "claude-haiku-5-5": ("Claude Haiku 5.5", "2026-09-01", 400_000),
    "claude-opus-5": ("Claude Opus 5", "2026-05-12", 1_000_000),
    "claude-sonnet-5": ("Claude Sonnet 5", "2026-04-14", 1_000_000),
    "claude-sonnet-4-6": ("Claude Sonnet 4.6", "2026-02-17", 1_000_000),
    "claude-haiku-4-5": ("Claude Haiku 4.5", "2025-10-15", 200_000),
}
_KNOWN = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "system",
        "stream",
        "stop_sequences",
        "output_config",
        "metadata",
        "service_tier",
        "thinking",
        "tools",
        "tool_choice",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "speed",
        "user_profile_id",
        "workspace_id",
    ]
)
_KNOWN_IN_CONFIG = frozenset({"effort", "format"})
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_RULES = Rules(
    refused=(
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "not", "oneOf", "if", "patternProperties"),
    )
)


def read_message_request(body: Mapping[str, Any], *, counts_only: bool = False) -> Asked:
    """A request for a message, or for the count of its tokens. Raises Refused as the vendor does."""
    for name in body:
        if name not in _KNOWN:
            raise Refused(f"{name}: Extra inputs are not permitted")
    if not check_depth(dict(body)):
        raise Refused("The request body is nested too deeply.")
    model = _model(body)
    stream = _flag(body, "stream")
    most = MOST_TOKENS if counts_only else _most_tokens(body, model, stream=stream)
    if body.get("tools"):
        raise Refused("tools: the sandbox's model cannot call tools")
    system, user = _text_of(body.get("system") or "", "system"), _messages(body)
    texts = tuple(text for text in (system, *user) if text)
    given = Given(system, "\n".join(user))
    return Asked(model, given, texts, _schema(body.get("output_config")), most, stream, _stops(body))


def _model(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if model is None:
        raise Refused("model: Field required")
    if not isinstance(model, str) or not model:
        raise Refused("model: Input should be a valid string")
    if model not in MODELS:
        raise Refused(f"model: {model}", "not_found_error", 404)
    return model


def _most_tokens(body: Mapping[str, Any], model: str, *, stream: bool) -> int:
    most = body.get("max_tokens")
    if most is None:
        raise Refused("max_tokens: Field required")
    if not isinstance(most, int) or isinstance(most, bool):
        raise Refused("max_tokens: Input should be a valid integer")
    if most < 1:
        raise Refused("max_tokens: Input should be greater than or equal to 1")
    if most > MOST_TOKENS:
        told = f"{most} > {MOST_TOKENS}, which is the maximum allowed number of output tokens for {model}"
        raise Refused(f"max_tokens: {told}")
    if most > MOST_TOKENS_WITHOUT_STREAM and not stream:
        raise Refused(f"max_tokens: more than {MOST_TOKENS_WITHOUT_STREAM} tokens require `stream`")
    return most


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Refused(f"{name}: Input should be a valid boolean")
    return value


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    stops = body.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop.strip() for stop in stops):
        raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(stops)


def _messages(body: Mapping[str, Any]) -> list[str]:
    messages = body.get("messages")
    if messages is None:
        raise Refused("messages: Field required")
    if not isinstance(messages, list):
        raise Refused("messages: Input should be a valid list")
    if not messages:
        raise Refused("messages: at least one message is required")
    texts = []
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if not isinstance(message, dict):
            raise Refused(f"{where}: Input should be a valid dictionary")
        if message.get("role") not in ("user", "assistant"):
            raise Refused(f"{where}.role: Input should be 'user' or 'assistant'")
        if message.get("content") is None:
            raise Refused(f"{where}.content: Field required")
        text = _text_of(message["content"], f"{where}.content")
        if not text.strip():
            raise Refused(f"{where}: {message['role']} messages must have non-empty content")
        texts.append(text)
    if messages[-1]["role"] != "user":
        raise Refused("This model does not support assistant message prefill. The conversation must end with a user.")
    return texts


def _text_of(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Refused(f"{where}: Input should be a valid string or list")
    parts = []
    for number, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise Refused(f"{where}.{number}.type: the sandbox's model reads blocks of type 'text' only")
        if not isinstance(part.get("text"), str):
            raise Refused(f"{where}.{number}.text: Input should be a valid string")
        parts.append(part["text"])
    return "\n".join(parts)


def _schema(config: Any) -> Mapping[str, Any] | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise Refused("output_config: Input should be a valid dictionary")
    for name in config:
        if name not in _KNOWN_IN_CONFIG:
            raise Refused(f"output_config.{name}: Extra inputs are not permitted")
    if config.get("effort") not in (None, *_EFFORTS):
        raise Refused(f"output_config.effort: Input should be one of {', '.join(_EFFORTS)}")
    wanted = config.get("format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise Refused("output_config.format.type: Input should be 'json_schema'")
    extra = next((name for name in wanted if name not in ("type", "schema")), None)
    if extra is not None:
        raise Refused(f"output_config.format.{extra}: Extra inputs are not permitted")
    try:
        check_schema(wanted.get("schema"), _RULES)
    except WrongSchema as problem:
        raise Refused(f"output_config.format.schema: For '{problem.kind}' type, {problem.why}") from None
    schema: Mapping[str, Any] = wanted["schema"]
    return schema
