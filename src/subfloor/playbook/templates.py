"""Jinja2 expressions in values, with native types; an undefined variable is an error.

A value that is one expression has the type of the expression; a mix of text and expressions becomes text. Text is
never parsed again: ``"{{ label }}"`` with the label ``"0644"`` stays text. Jinja2 is imported at the first
expression: its import takes longer than the start of Python.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from subfloor.core.errors import SubfloorError
from subfloor.core.secret import Secret
from subfloor.playbook.bounds import MEMORY, SECONDS, Overdue, bounds

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

MAX_TEXT = 1 << 20
_SCOPE = "the scope, under a name that no template can spell"


class ExpressionError(Exception):
    """An expression without a value. ``undefined``: the name of the missing variable, if that is the reason;
    ``near``: a word of the expression that the reason concerns; ``known``: the names that it could have been."""

    def __init__(self, what: str, *, undefined: str | None = None, near: str = "", known: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.undefined = undefined
        self.near = undefined or near
        self.known = known


Lookup = Callable[[str], Any]
"""A variable's value by its name. Raises ``KeyError`` for an undefined variable."""


def has_expression(text: str) -> bool:
    """Whether a text contains an expression."""
    return "{{" in text or "{%" in text or "{#" in text


def render(text: str, lookup: Lookup) -> Any:
    """The value of a text with expressions. Raises ``ExpressionError``."""
    return _evaluated(functools.partial(_template, text), lookup)


def evaluate(expression: str, lookup: Lookup) -> Any:
    """The value of an expression without braces. Raises ``ExpressionError``."""
    return _evaluated(functools.partial(_template, "{{ " + expression + " }}"), lookup)


@functools.lru_cache(maxsize=512)
def _template(text: str) -> Any:
    environment = _environment()
    code = environment.compile(text)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _evaluated(compiled: Callable[[], Any], lookup: Lookup) -> Any:
    from jinja2 import TemplateError, UndefinedError

    try:
        with bounds():
            template = compiled()
            context = template.new_context({_SCOPE: lookup})
            return _joined(template.root_render_func(context))
    except SubfloorError:
        raise  # a variable that the expression uses has no value
    except UndefinedError as error:
        raise _about_undefined(error) from None
    except TemplateError as error:
        raise _about_template(error) from None
    except Overdue:
        raise ExpressionError(f"the expression takes longer than {SECONDS:.0f} s") from None
    except MemoryError:
        raise ExpressionError(f"the expression needs more than {MEMORY >> 20} MiB of memory") from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deep") from None
    except Exception as error:  # an expression can make any operator or filter raise anything
        raise ExpressionError(f"the expression has no value: {error or type(error).__name__}") from None


def _about_undefined(error: Any) -> ExpressionError:
    name, of = getattr(error, "missing", (None, False))
    if name is None or of:
        return ExpressionError(f"the expression has no value: {_end(error.message)}", near=str(name or ""))
    return ExpressionError(f"`{name}` is undefined", undefined=name)


def _about_template(error: Any) -> ExpressionError:
    """The error of an expression that cannot be read. If a filter or test is unknown, it contains all known names."""
    found = re.match(r"No (filter|test) named '(.+)'", error.message or "")
    if not found:
        return ExpressionError(f"the expression cannot be read: {_end(error.message)}")
    kind, name = found.groups()
    known = filters() if kind == "filter" else tests()
    return ExpressionError(f"there is no {kind} `{name}`", near=name, known=known)


def filters() -> tuple[str, ...]:
    """The names of all filters, sorted."""
    return tuple(sorted(_environment().filters))


def tests() -> tuple[str, ...]:
    """The names of all tests that are words, sorted."""
    return tuple(sorted(name for name in _environment().tests if name.isidentifier()))


def _end(message: str | None) -> str:
    return (message or "it is not an expression").rstrip(".")


def _joined(pieces: Iterable[Any]) -> Any:
    """A single piece unchanged; several pieces as text."""
    values = list(pieces)
    if len(values) == 1:
        return _plain(values[0])
    return _bounded("".join(str(value) for value in values))


def _plain(value: Any) -> Any:
    """A value with YAML's types: Jinja2's lazy values become lists."""
    if isinstance(value, str):
        return _bounded(str(value))
    if value is None or isinstance(value, bool | int | float | Secret):
        return value
    if isinstance(value, Mapping):
        return {_name(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range | set | frozenset | Iterator):
        return [_plain(item) for item in value]
    str(value)  # raises if it is undefined
    raise TypeError(f"a {type(value).__name__} is not a valid value for a parameter")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not text")
    return key


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise ValueError("the text becomes longer than 1 MiB")
    return text


@functools.cache
def _environment() -> SandboxedEnvironment:
    """The environment: sandboxed, with native types, strict about undefined variables."""
    from jinja2 import StrictUndefined, UndefinedError
    from jinja2.nativetypes import NativeCodeGenerator
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import missing

    class Missing(StrictUndefined):
        """An undefined value. Its error carries the missing name, and whether a part of a variable is missing."""

        def __init__(
            self,
            hint: str | None = None,
            obj: Any = missing,
            name: str | None = None,
            exc: Any = UndefinedError,
        ) -> None:
            def failed(message: str) -> Exception:
                error = UndefinedError(message)
                error.missing = (name, obj is not missing)  # type: ignore[attr-defined]
                return error

            super().__init__(hint, obj, name, failed)  # type: ignore[arg-type]

    class LazyContext(Context):
        """Gets a variable from the scope only when an expression uses it."""

        def resolve_or_missing(self, key: str) -> Any:
            if key in self.vars:
                return self.vars[key]
            try:
                return self.parent[_SCOPE](key)
            except KeyError:
                return self.parent.get(key, missing)

    class CodeGenerator(NativeCodeGenerator):
        """Keeps the type of a single constant: it is not converted to text and parsed again."""

        def _output_const_repr(self, group: Iterable[Any]) -> str:
            values = list(group)
            return repr(values[0] if len(values) == 1 else "".join(map(str, values)))

    class Environment(ImmutableSandboxedEnvironment):
        code_generator_class = CodeGenerator
        context_class = LazyContext
        intercepted_binops = frozenset({"**", "*"})

        def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
            _refuse_huge(operator, left, right)
            return super().call_binop(context, operator, left, right)

    environment = Environment(undefined=Missing, keep_trailing_newline=True)
    environment.globals = {name: environment.globals[name] for name in ("range", "dict", "namespace")}
    del environment.filters["random"]  # what a playbook means must not differ from run to run
    environment.filters |= {"bool": _truth, "mandatory": _mandatory, "partition": _partition}
    return environment


def _refuse_huge(operator: str, left: Any, right: Any) -> None:
    """Raise ``ValueError`` for an operation whose result would fill the memory, before it starts."""
    if operator == "**":
        size = left.bit_length() * abs(right) if isinstance(left, int) and isinstance(right, int) else 0
    else:
        pairs = ((left, right), (right, left))
        size = max((len(a) * b for a, b in pairs if hasattr(a, "__len__") and isinstance(b, int)), default=0)
    if size > MAX_TEXT:
        raise ValueError("the result becomes too large")


def _truth(value: Any) -> bool:
    """Like Ansible's ``bool``, but an unknown word is an error instead of false."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("true", "yes", "on", "y", "t", "1"):
        return True
    if word in ("false", "no", "off", "n", "f", "0", "none", ""):
        return False
    raise ValueError(f"`{value}` is neither true nor false")


def _mandatory(value: Any) -> Any:
    """Like Ansible's ``mandatory``. It changes nothing: here an undefined variable is always an error."""
    str(value)
    return value


def _partition(disk: Any, number: Any) -> str:
    """The node of a disk's partition, with ``p`` or ``-part`` before the number if the name needs it."""
    from subfloor.storage.devices import partition_node

    str(disk), str(number)  # raises if one is undefined
    if not isinstance(disk, str) or isinstance(number, bool) or not isinstance(number, int):
        raise TypeError("`partition` needs a disk's path and a number: disk | partition(1)")
    return partition_node(disk, number)
