"""Anthropic's models: the Messages API through Anthropic's own SDK, streamed, with structured output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sophia_assets.llm import failures
from sophia_assets.llm.failures import Fault
from sophia_assets.llm.interface import FailureKind, Prompt
from sophia_assets.llm.sdk_provider import Access, Heard, SdkProvider, quiet, whole

if TYPE_CHECKING:
    import httpx2

ADDRESS = "https://api.anthropic.com"

_CUT = (FailureKind.CUT, "ended its answer before it was complete")
_STOPS = {
    "max_tokens": (FailureKind.TRUNCATED, "ended its answer at the most output tokens that were allowed"),
    "refusal": (FailureKind.REFUSAL, "refused to answer"),
    "model_context_window_exceeded": (FailureKind.CONTEXT_OVERFLOW, "had no room left in its context"),
}


class AnthropicProvider(SdkProvider):
    """One of Anthropic's models."""

    name = "anthropic"

    def _load(self) -> None:
        import anthropic  # noqa: F401

        quiet("anthropic", "httpx2", "httpcore2")

    async def _ask(
        self, prompt: Prompt, access: Access, client: httpx2.AsyncClient, seconds: float, heard: Heard
    ) -> None:
        from anthropic import AsyncAnthropic

        vendor = AsyncAnthropic(
            api_key=access.key, base_url=access.address, max_retries=0, timeout=seconds, http_client=client
        )
        stream = await vendor.messages.create(
            model=self.model,
            system=prompt.system,
            messages=[{"role": "user", "content": prompt.user}],
            max_tokens=prompt.max_output_tokens,
            output_config={"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
            stream=True,
        )
        heard.started = True
        heard.request_id = stream.response.headers.get("request-id")
        async with stream:
            async for event in stream:
                if stop_reason := _take(event, heard):
                    _end(stop_reason)
                    return
        raise Fault(*_CUT)

    def _fault_of_vendor(self, error: Exception, heard: Heard) -> Fault | None:
        from anthropic import APIConnectionError, APIError, APIStatusError

        if isinstance(error, APIStatusError):
            heard.request_id = heard.request_id or error.request_id
            words = (error.error_code, error.type)
            if heard.started:
                return failures.broken_off(words, error.api_message)
            return failures.refused(
                error.status_code, words, error.api_message, error.response.headers, model=self.model
            )
        if isinstance(error, APIConnectionError):
            return failures.unreachable(error, started=heard.started)
        return failures.broken_off(()) if isinstance(error, APIError) else None


def _take(event: Any, heard: Heard) -> str | None:
    """Tells `heard` what an event says; returns the stop reason, where that is it."""
    match event.type:
        case "message_start":
            if heard.model:
                raise Fault(FailureKind.CUT, "began its answer twice")
            heard.model = str(event.message.model)
            _count(event.message.usage, heard)
        case "content_block_start" if event.content_block.type == "text":
            heard.add(event.content_block.text)
        case "content_block_delta" if event.delta.type == "text_delta":
            heard.add(event.delta.text)
        case "message_delta":
            _count(event.usage, heard)
            heard.is_counted = event.usage.output_tokens is not None
            stop_reason: str | None = event.delta.stop_reason
            return stop_reason
    return None


def _count(usage: Any, heard: Heard) -> None:
    """Takes over what was used so far; later counts include earlier ones, and leave out what has not changed."""
    parts = [getattr(usage, name, None) for name in _INPUT]
    if parts[0] is not None:
        heard.input = sum(map(whole, parts))
        heard.cached_input = whole(usage.cache_read_input_tokens)
    heard.output = max(heard.output, whole(usage.output_tokens))


_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _end(stop_reason: str) -> None:
    """Returns where the answer is complete. A reason that nobody knows yet may mean anything."""
    if stop_reason != "end_turn":
        raise Fault(*_STOPS.get(stop_reason, _CUT))
