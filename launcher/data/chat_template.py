"""A model's chat template, rendered as transformers does but without importing it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from jinja2.parser import Parser


class TemplateFailedError(Exception):
    """A template is broken or refuses a conversation; the message is its own."""


class ChatTemplate:
    """Turns a conversation into the text the model is trained on."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        """Raise TemplateFailedError when the template has a mistake in itself."""
        self._special_tokens = special_tokens
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise TemplateFailedError(str(error)) from error

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Render the whole conversation. Raises TemplateFailedError."""
        try:
            return self._template.render(
                messages=messages,
                tools=None,
                documents=None,
                add_generation_prompt=False,
                **self._special_tokens,
            )
        except Exception as error:  # a template is somebody's program: it can raise anything
            raise TemplateFailedError(str(error) or type(error).__name__) from error


class _GenerationBlocks(Extension):
    """Lets `{% generation %}`, which marks what is trained on, pass through as its content."""

    tags = {"generation"}  # noqa: RUF012  (jinja2 declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationBlocks, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _local_time
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter escapes HTML, which no model was trained on."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _local_time(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)
