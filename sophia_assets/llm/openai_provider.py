"""OpenAI's models: the Responses API through OpenAI's own SDK, streamed, with structured output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sophia_assets.llm import failures
from sophia_assets.llm.failures import Fault
from sophia_assets.llm.interface import FailureKind, Prompt
from sophia_assets.llm.sdk_provider import Access, Heard, SdkProvider, quiet, whole

if TYPE_CHECKING:
    import httpx2

ADDRESS = "https://api.openai.com/v1"

_REFUSED = "refused to answer"
_CUT = (FailureKind.CUT, "ended its answer before it was complete")
_INCOMPLETE = {
    "max_output_tokens": (FailureKind.TRUNCATED, "ended its answer at the most output tokens that were allowed"),
    "content_filter": (FailureKind.REFUSAL, _REFUSED),
}


class OpenAIProvider(SdkProvider):
    """One of OpenAI's models."""

    name = "openai"

    def _load(self) -> None:
        import openai  # noqa: F401

        quiet("openai", "httpx2", "httpcore2")

    async def _ask(
        self, prompt: Prompt, access: Access, client: httpx2.AsyncClient, seconds: float, heard: Heard
    ) -> None:
        from openai import AsyncOpenAI

        vendor = AsyncOpenAI(
            api_key=access.key, base_url=access.address, max_retries=0, timeout=seconds, http_client=client
        )
        stream = await vendor.responses.create(
            model=self.model,
            instructions=prompt.system,
            input=prompt.user,
            max_output_tokens=prompt.max_output_tokens,
            text={
                "format": {
                    "type": "json_schema",
                    "name": prompt.schema_name,
                    "schema": dict(prompt.schema),
                    "strict": True,
                }
            },
            # Nothing of it is to be kept at the vendor's.
            store=False,
            stream=True,
        )
        heard.started = True
        heard.request_id = stream.response.headers.get("x-request-id")
        async with stream:
            async for event in stream:
                if _take(event, heard):
                    return
        raise Fault(*_CUT)

    def _fault_of_vendor(self, error: Exception, heard: Heard) -> Fault | None:
        from openai import APIConnectionError, APIError, APIStatusError

        if isinstance(error, APIStatusError):
            heard.request_id = heard.request_id or error.request_id
            return failures.refused(
                error.status_code, (error.code, error.type), _message(error), error.response.headers, model=self.model
            )
        if isinstance(error, APIConnectionError):
            return failures.unreachable(error, started=heard.started)
        return failures.broken_off((error.code, error.type), _message(error)) if isinstance(error, APIError) else None


def _take(event: Any, heard: Heard) -> bool:
    """Tells `heard` what an event says; whether it says that the answer is complete."""
    match event.type:
        case "response.created":
            if heard.model:
                raise Fault(FailureKind.CUT, "began its answer twice")
            heard.model = str(event.response.model)
        case "response.output_text.delta":
            heard.add(event.delta)
        case "response.refusal.delta":
            heard.is_refused = True
            heard.add(event.delta)
        case "response.completed" | "response.incomplete" | "response.failed":
            _end(event.response, heard)
            return True
        case "error":
            raise failures.broken_off((event.code,), event.message)
    return False


def _end(response: Any, heard: Heard) -> None:
    """Takes the whole response over. Raises Fault unless it is complete."""
    _count(response.usage, heard)
    if response.status == "completed":
        _take_whole(response, heard)
        return
    if response.error is not None:
        raise failures.broken_off((response.error.code, response.error.type), response.error.message)
    reason = response.incomplete_details.reason if response.incomplete_details else None
    raise Fault(*_INCOMPLETE.get(str(reason), _CUT))


def _take_whole(response: Any, heard: Heard) -> None:
    """The response at the end holds all that came in pieces, and what it says counts."""
    contents = [part for item in response.output if item.type == "message" for part in item.content]
    if heard.is_refused or any(part.type == "refusal" for part in contents):
        raise Fault(FailureKind.REFUSAL, _REFUSED)
    if text := response.output_text:
        heard.pieces = [text]
    heard.model = str(response.model or heard.model)


def _count(usage: Any, heard: Heard) -> None:
    if usage is None:
        return
    heard.input, heard.output, heard.is_counted = whole(usage.input_tokens), whole(usage.output_tokens), True
    heard.cached_input = whole(getattr(usage.input_tokens_details, "cached_tokens", 0))


def _message(error: Any) -> str:
    """The vendor's own sentence, to be looked at only."""
    body = error.body
    return str(body.get("message") or "") if isinstance(body, dict) else ""
