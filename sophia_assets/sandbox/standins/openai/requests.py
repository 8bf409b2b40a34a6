"""Reads and checks the requests of OpenAI's APIs for responses and chat completions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sophia_assets.sandbox.language.prompt import Given
from sophia_assets.sandbox.standins.json_schemas import Rules, WrongSchema, check_depth, check_schema
from sophia_assets.sandbox.standins.model_standin import Asked
from sophia_assets.sandbox.standins.openai.errors import Refused

MOST_TOKENS = 128_000
LEAST_TOKENS = 16
#: Each model's day of release, as seconds of the epoch, and the tokens that it reads at most.
MODELS: Mapping[str, tuple[int, int]] = {
    "gpt-6-sol": (1_788_220_800, 1_000_000),
    "gpt-6-luna": (1_788_220_800, 400_000),
    "gpt-5.6-sol": (1_783_036_800, 1_000_000),
    "gpt-5.5": (1_776_902_400, 1_000_000),
    "gpt-5.4": (1_772_582_400, 1_000_000),
    "gpt-5.4-mini": (1_773_705_600, 400_000),
    "gpt-5.2": (1_765_411_200, 400_000),
}
_RESPONSES = frozenset(
    [
        "access_programs",
        "background",
        "background_options",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "truncation",
        "user",
    ]
)
_CHAT = frozenset(
    [
        "max_completion_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "tool_choice",
        "tools",
        "user",
        "verbosity",
    ]
)
#: What models that reason do not take, although the API knows it.
_UNSUPPORTED = frozenset(
    [
        "temperature",
        "top_p",
        "top_logprobs",
        "logprobs",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
        "max_tokens",
    ]
)
_ROLES = ("system", "developer", "user", "assistant")
_SYSTEM_ROLES = frozenset({"system", "developer"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RULES = Rules(refused=("allOf", "oneOf", "not", "if", "dependentRequired", "patternProperties"), all_required=True)
_ANY_OBJECT = {"type": "object"}


def read_response_request(body: Mapping[str, Any], *, counts_only: bool = False) -> Asked:
    """A request for a response, or for the count of its tokens. Raises Refused as the vendor does."""
    _check_names(body, _RESPONSES)
    model = _model(body, "The requested model '{}' does not exist.", "model", 400)
    most = _tokens(body, "max_output_tokens", LEAST_TOKENS)
    stream = _flag(body, "stream")
    _check_tools(body)
    instructions = body.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        raise _wrong_type("instructions", "a string", instructions)
    said = [("system", instructions)] if instructions else []
    said += _inputs(body.get("input"), is_needed=not counts_only)
    text = body.get("text")
    if text is not None and not isinstance(text, dict):
        raise _wrong_type("text", "an object", text)
    schema = _schema((text or {}).get("format"), "text.format")
    return Asked(model, _given(said), tuple(each for _, each in said), schema, most, stream)


def read_chat_request(body: Mapping[str, Any]) -> Asked:
    """A request for a chat completion. Raises Refused as the vendor does."""
    _check_names(body, _CHAT)
    model = _model(body, "The model `{}` does not exist or you do not have access to it.", None, 404)
    most = _tokens(body, "max_completion_tokens", 1)
    stream = _flag(body, "stream")
    _check_tools(body)
    if body.get("n") not in (None, 1):
        raise Refused("Invalid value for 'n': the sandbox gives one choice.", "n", "invalid_value")
    options = body.get("stream_options")
    if options is not None and not (isinstance(options, dict) and stream):
        raise Refused("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        inner = wanted.get("json_schema")
        if not isinstance(inner, dict):
            raise _missing("response_format.json_schema")
        wanted = {**inner, "type": "json_schema"}
    messages = body.get("messages")
    if messages is None:
        raise _missing("messages")
    said = list(_said(messages, "messages", ("text",)))
    if not said:
        raise Refused("Invalid 'messages': empty array. Expected at least one message.", "messages", "empty_array")
    schema = _schema(wanted, "response_format")
    with_usage = bool((options or {}).get("include_usage"))
    texts = tuple(each for _, each in said)
    return Asked(model, _given(said), texts, schema, most, stream, _stops(body.get("stop")), with_usage)


def _given(said: list[tuple[str, str]]) -> Given:
    system = "\n".join(text for role, text in said if role in _SYSTEM_ROLES)
    return Given(system, "\n".join(text for role, text in said if role not in _SYSTEM_ROLES))


def _check_names(body: Mapping[str, Any], known: Collection[str]) -> None:
    for name in body:
        if name in known:
            continue
        if name in _UNSUPPORTED:
            instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            told = f"Unsupported parameter: '{name}' is not supported with this model.{instead}"
            raise Refused(told, name, "unsupported_parameter")
        raise Refused(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if not check_depth(dict(body)):
        raise Refused("The request body is nested too deeply.")


def _model(body: Mapping[str, Any], told: str, param: str | None, status: int) -> str:
    model = body.get("model")
    if model is None:
        raise _missing("model")
    if not isinstance(model, str):
        raise _wrong_type("model", "a string", model)
    if model not in MODELS:
        raise Refused(told.format(model), param, "model_not_found", status)
    return model


def _tokens(body: Mapping[str, Any], name: str, least: int) -> int:
    most = body.get(name)
    if most is None:
        return MOST_TOKENS
    if not isinstance(most, int) or isinstance(most, bool):
        raise _wrong_type(name, "an integer", most)
    if most < least:
        told = f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {most} instead."
        raise Refused(told, name, "integer_below_min_value")
    if most > MOST_TOKENS:
        told = f"{name} is too large: {most}. This model supports at most {MOST_TOKENS} completion tokens."
        raise Refused(told, name, "invalid_value")
    return most


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(name, "a boolean", value)
    return bool(value)


def _check_tools(body: Mapping[str, Any]) -> None:
    if body.get("tools"):
        raise Refused("Invalid 'tools': the sandbox's model cannot call tools.", "tools", "invalid_value")


def _stops(stop: Any) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(each, str) and each for each in stops):
        raise _wrong_type("stop", "a string or an array of strings", stop)
    return tuple(stops)


def _inputs(given: Any, *, is_needed: bool) -> list[tuple[str, str]]:
    if given is None:
        if is_needed:
            raise _missing("input")
        return []
    if isinstance(given, str):
        return [("user", given)]
    return list(_said(given, "input", ("input_text", "output_text")))


def _said(messages: Any, where: str, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    """(role, text) of each message."""
    if not isinstance(messages, list):
        raise _wrong_type(where, "an array", messages)
    for number, message in enumerate(messages):
        place = f"{where}[{number}]"
        if not isinstance(message, dict):
            raise _wrong_type(place, "an object", message)
        if message.get("type", "message") != "message" or message.get("role") not in _ROLES:
            told = f"Invalid value: {str(message.get('role'))[:40]!r}. Supported values are: {', '.join(_ROLES)}."
            raise Refused(told, f"{place}.role", "invalid_value")
        yield message["role"], _text_of(message.get("content"), f"{place}.content", kinds)


def _text_of(content: Any, where: str, kinds: Collection[str]) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _wrong_type(where, "a string or an array", content)
    parts = []
    for number, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") not in kinds or not isinstance(part.get("text"), str):
            told = f"Invalid value at '{where}[{number}]'. The sandbox's model reads: {', '.join(kinds)}."
            raise Refused(told, f"{where}[{number}]", "invalid_value")
        parts.append(part["text"])
    return "\n".join(parts)


def _schema(wanted: Any, where: str) -> Mapping[str, Any] | None:
    if wanted is None:
        return None
    if not isinstance(wanted, dict):
        raise _wrong_type(where, "an object", wanted)
    kind = wanted.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return _ANY_OBJECT
    if kind != "json_schema":
        told = f"Invalid value: {str(kind)[:40]!r}. Supported values are: 'text', 'json_object', and 'json_schema'."
        raise Refused(told, f"{where}.type", "invalid_value")
    name, schema = wanted.get("name"), wanted.get("schema")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(f"Invalid '{where}.name': expected letters, digits, _ and - only.", f"{where}.name")
    if not isinstance(schema, dict):
        raise _missing(f"{where}.schema")
    if wanted.get("strict"):
        try:
            check_schema(schema, _RULES)
        except WrongSchema as problem:
            told = f"Invalid schema for response_format '{name}': In context={problem.path}, {problem.why}"
            raise Refused(told, f"{where}.schema", "invalid_json_schema") from None
    return schema


def _missing(name: str) -> Refused:
    return Refused(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _wrong_type(name: str, expected: str, value: Any) -> Refused:
    got = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    told = f"Invalid type for '{name}': expected {expected}, but got {got.get(type(value), 'null')} instead."
    return Refused(told, name, "invalid_type")
