"""A language model behind an OpenAI-compatible server as a judge: vLLM, llama.cpp, Ollama, ``transformers serve``, hosted ones."""

import base64
import hashlib
import json
import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from factcheck.errors import InputError
from factcheck.judges.answers import ANSWER_SCHEMA, InvalidAnswer, read_answer
from factcheck.judges.base import Judge, Judgement, RowWithImages
from retrieval.arguments import checked_int
from retrieval.lazy import need_extra

if TYPE_CHECKING:
    import httpx

    from factcheck.models.inputs import TextRow

__all__ = ["ServerJudge", "ServerUsage"]

logger = logging.getLogger(__name__)

#: Environment variables that may hold the key, the first that is set; it is never logged, stored or part of a fingerprint.
KEY_VARIABLES = ("FACTCHECK_JUDGE_API_KEY", "OPENAI_API_KEY")
# Too many requests, and what a server or a proxy says when it will soon be there again.
_TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_LONGEST_WAIT = 60.0
# Characters of evidence in one question, about 6,000 tokens.
_MOST_CHARACTERS = 24_000
# Of an English text, for estimates before anything is asked.
_CHARACTERS_PER_TOKEN = 4.0
_ANSWER_TOKENS = 90


@dataclass
class ServerUsage:
    """What has been asked of a server so far.

    Attributes:
        requests: requests that were answered; retries: those sent again; invalid: answers that were not of the form asked for.
        prompt_tokens, completion_tokens: as the server counts them.
        seconds: time that requests took, added up over those that ran beside each other.
    """

    requests: int = 0
    retries: int = 0
    invalid: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: float) -> None:
        """Add to the counts; safe from several threads."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


class ServerJudge(Judge):
    """Asks a chat model for the stance, by the policy in ``stance_prompt.md`` and in the form of a JSON schema.

    Texts of claim and evidence travel as one JSON object, so that nothing in them can pose as part of the question; the answer's
    form is checked whatever the model was made to say. A row that cannot be judged has its ``problem``, the others go on. Of a
    claim, and of all its evidence together, the first 24,000 characters are sent.

    Args:
        url: the server's base, to which ``/chat/completions`` is added (``http://127.0.0.1:8000/v1``).
        model: the model's name there.
        concurrency: requests at a time.
        timeout: seconds for one request.
        retries: how often a request that failed for the moment is sent again, with growing waits or as Retry-After says.
        max_tokens: longest answer, in tokens; a model that thinks aloud needs more.
        images: send the photos, too (to a model that takes them).

    Raises:
        InputError: no server there, it refuses the key, it does not have the model, or an option is out of range.
    """

    leave_one_out = False

    def __init__(
        self,
        url: str,
        model: str,
        *,
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 5,
        max_tokens: int = 400,
        images: bool = False,
    ) -> None:
        self.url, self.model = url.rstrip("/"), model
        self.concurrency = checked_int("concurrency", concurrency, 1)
        self.retries = checked_int("retries", retries, 0)
        self.max_tokens = checked_int("max_tokens", max_tokens, 1)
        self.reads_images = images
        self.usage = ServerUsage()
        self.prompt = resources.files(__package__).joinpath("stance_prompt.md").read_text("utf-8")
        self._client = _client(self.url, timeout)
        # What the server understands of structured answers, found out at the first refusal.
        self._formats: list[dict[str, Any] | None] = [
            {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": ANSWER_SCHEMA}},
            {"type": "json_object"},
            None,
        ]
        self._check_server()

    @property
    def fingerprint(self) -> str:
        """Changes with model name, prompt, form of the answer and whether photos are sent; not with the server's address."""
        parts = json.dumps([self.model, self.prompt, ANSWER_SCHEMA, self.max_tokens, self.reads_images], sort_keys=True)
        return "openai-" + hashlib.sha256(parts.encode()).hexdigest()[:16]

    def judge(self, rows: "Sequence[TextRow]") -> list[Judgement]:
        """One judgement a row; see :class:`~factcheck.judges.base.Judge`."""
        if len(rows) <= 1:
            return [self._judge(row) for row in rows]
        with ThreadPoolExecutor(min(self.concurrency, len(rows))) as pool:
            return list(pool.map(self._judge, rows))

    def estimate(self, rows: "Sequence[TextRow]") -> tuple[int, int]:
        """Tokens of prompts and of answers for these rows, about: nothing is asked."""
        characters = sum(len(self.prompt) + len(self._question(row)) for row in rows)
        return round(characters / _CHARACTERS_PER_TOKEN), _ANSWER_TOKENS * len(rows)

    def _judge(self, row: "TextRow") -> Judgement:
        why = ""
        for _ in range(2):  # a model may stumble once
            try:
                return read_answer(self._ask(row), len(row.evidence))
            except InvalidAnswer as error:
                self.usage.add(invalid=1)
                why = f"its answer has {error}" if str(error) != "empty" else "its answer is empty"
            except _Failed as error:
                why = str(error)
                break
        return Judgement(stance=None, problem=f"judge: {why}")

    def _question(self, row: "TextRow") -> str:
        left = _MOST_CHARACTERS
        evidence = []
        for number, text in enumerate(row.evidence, 1):
            evidence.append({"number": number, "text": text[: max(0, left)]})
            left -= len(text)
        question: dict[str, Any] = {"claim": row.claim[:_MOST_CHARACTERS], "evidence": evidence}
        if row.claim_ocr:
            question["text_in_claim_image"] = row.claim_ocr[:_MOST_CHARACTERS]
        if row.document_ocr:
            question["text_in_document_image"] = row.document_ocr[:_MOST_CHARACTERS]
        return json.dumps(question, ensure_ascii=False)

    def _content(self, row: "TextRow") -> str | list[dict[str, Any]]:
        question = self._question(row)
        given = row.images if self.reads_images and isinstance(row, RowWithImages) else ()
        images = [_image_part(image) for image in given if image]
        return [{"type": "text", "text": question}, *images] if images else question

    def _ask(self, row: "TextRow") -> str:
        """The text of the model's answer.

        Raises:
            _Failed: the server gives none, in one line.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": self.max_tokens,
            "messages": [
                {"role": "system", "content": self.prompt},
                {"role": "user", "content": self._content(row)},
            ],
        }
        while True:
            form = self._formats[0]
            response = self._post(body if form is None else {**body, "response_format": form})
            if response.status_code not in (400, 422) or form is None:
                break
            if self._formats[0] is form and len(self._formats) > 1:
                self._formats = self._formats[1:]
                logger.info("the server refuses answers of the form %s; asking without it", form["type"])
        if response.status_code != 200:
            raise _Failed(f"the server answers {response.status_code}: {self._said(response.text)}")
        try:
            answer = response.json()
            text = answer["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise InvalidAnswer("no message") from None
        used = answer.get("usage")
        counts = used if isinstance(used, dict) else {}
        tokens = {name: counts.get(name) for name in ("prompt_tokens", "completion_tokens")}
        self.usage.add(**{name: count for name, count in tokens.items() if isinstance(count, int)})
        return text if isinstance(text, str) else ""

    def _post(self, body: dict[str, Any]) -> "httpx.Response":
        """The server's answer, asked again where it fails for the moment.

        Raises:
            _Failed: it failed every time.
        """
        import httpx

        why = ""
        for attempt in range(self.retries + 1):
            start = time.monotonic()
            wait = min(_LONGEST_WAIT, 0.5 * 2**attempt) * (0.5 + random.random())
            try:
                response = self._client.post("chat/completions", json=body)
            except httpx.TimeoutException:
                why = f"timed out after {time.monotonic() - start:.0f} s"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = f"no connection: {self._said(str(error))}"
            else:
                self.usage.add(requests=1, seconds=time.monotonic() - start)
                if response.status_code not in _TRANSIENT:
                    return response
                why = f"the server answers {response.status_code}: {self._said(response.text)}"
                wait = max(wait, _retry_after(response.headers.get("retry-after")))
            if attempt < self.retries:
                self.usage.add(retries=1)
                time.sleep(wait)
        raise _Failed(f"{why} (tried {self.retries + 1} times)" if self.retries else why)

    def _check_server(self) -> None:
        """Find out before the first row that nothing will work."""
        import httpx

        try:
            response = self._client.get("models")
        except httpx.TimeoutException:
            raise InputError(f"judge server {self.url} does not answer", field="judge") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(
                f"no judge server at {self.url}: {self._said(str(error))}",
                field="judge",
                hint="start it, or correct the address (openai:http://HOST:PORT/v1#MODEL)",
            ) from None
        if response.status_code in (401, 403):
            raise InputError(
                f"judge server {self.url} refuses the key ({response.status_code})",
                hint=f"set it in the environment as {KEY_VARIABLES[0]}",
            )
        try:
            known = [str(entry["id"]) for entry in response.json()["data"]]
        except (ValueError, LookupError, TypeError):
            return  # not every server lists its models
        if known and self.model not in known:
            raise InputError(
                f"judge server {self.url} has no model {self.model!r}",
                field="judge",
                hint=f"it has {', '.join(known[:10])}",
            )

    def _said(self, text: str) -> str:
        """The beginning of what a server says, in one line and without the key."""
        for variable in KEY_VARIABLES:
            if key := os.environ.get(variable):
                text = text.replace(key, "***")
        return " ".join(text.split())[:200] or "nothing"


class _Failed(Exception):
    """The server gives no answer to a request; the text says why in one line."""


def _client(url: str, timeout: float) -> "httpx.Client":
    need_extra("llm", "httpx", what="a judge behind a server", field="judge")
    import httpx

    if not url.startswith(("http://", "https://")):
        raise InputError(
            f"judge server {url!r} is not an address", field="judge", hint="write openai:http://HOST:PORT/v1#MODEL"
        )
    if not timeout > 0:
        raise InputError(f"`timeout` must be above 0 seconds, found {timeout}", field="timeout")
    key = next((value for name in KEY_VARIABLES if (value := os.environ.get(name))), None)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=url + "/", timeout=httpx.Timeout(timeout, connect=min(timeout, 20.0)), headers=headers)


def _image_part(image: bytes) -> dict[str, Any]:
    kinds = {b"\x89PNG": "png", b"RIFF": "webp", b"GIF8": "gif"}
    kind = kinds.get(image[:4], "jpeg")
    data = base64.b64encode(image).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}}


def _retry_after(value: str | None) -> float:
    """Seconds that a server asks to wait, at most a minute; 0 where it does not say (dates are not read)."""
    try:
        return min(_LONGEST_WAIT, max(0.0, float(value or 0)))
    except ValueError:
        return 0.0


def from_name(rest: str, **options: Any) -> ServerJudge:
    """The judge of ``openai:URL#MODEL``, without the scheme.

    Raises:
        InputError: no model is named, or see :class:`ServerJudge`.
    """
    url, hash_sign, model = rest.rpartition("#")
    if not (hash_sign and url and model):
        raise InputError(
            f"judge 'openai:{rest}' names no model", field="judge", hint="write openai:http://HOST:PORT/v1#MODEL"
        )
    return ServerJudge(url, model, **options)
