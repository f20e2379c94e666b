"""Whether a schema may take the place of a published one without breaking those who rely on it.

A publisher relies on being understood: what the old schema allowed, the new one must allow. A subscriber relies on
what it gets: what the new schema allows, the old one must have allowed. Both are one question, asked in the two
directions. Members may always be added: publishers and subscribers ignore what they do not know.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

Schema = dict[str, Any]

_ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "default", "deprecated"}
)
# Where an absent bound stands, and whether a smaller number allows more.
_LOWER: Final = ("minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties")
_UPPER: Final = ("maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties")
_SAME_OR_ABSENT: Final = (
    "pattern",
    "format",
    "uniqueItems",
    "multipleOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
)
_JUDGED: Final = _ANNOTATIONS | {
    *_LOWER,
    *_UPPER,
    *_SAME_OR_ABSENT,
    *("$ref", "type", "enum", "const", "anyOf", "properties", "required", "additionalProperties", "items"),
}


class Relying(Enum):
    """Who relies on a schema, and so which way it may change."""

    PUBLISHERS = "publishers"
    SUBSCRIBERS = "subscribers"


class _Side(NamedTuple):
    schema: Any
    root: Schema

    def at(self, schema: Any) -> _Side:
        """A part of it, references followed; what stands beside a reference holds too."""
        while isinstance(schema, dict) and "$ref" in schema:
            target: Any = self.root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        return _Side({} if schema is True else schema, self.root)


def breaks(old: Schema, new: Schema, relying: Relying) -> list[str]:
    """What in `new` breaks those who rely on `old`: a line a place, empty if nothing does."""
    old_side, new_side = _Side(old, old).at(old), _Side(new, new).at(new)
    if relying is Relying.PUBLISHERS:
        return _Comparison(relying, "was allowed and is not any more").within(old_side, new_side, "")
    return _Comparison(relying, "was never sent and may be now").within(new_side, old_side, "")


class _Comparison(NamedTuple):
    relying: Relying
    loss: str

    def within(self, inner: _Side, outer: _Side, where: str) -> list[str]:
        """Where `inner` allows what `outer` does not."""
        unknown = sorted((inner.schema.keys() | outer.schema.keys()) - _JUDGED)
        if unknown:
            return [f"{where or '(event)'}: this check cannot judge {', '.join(unknown)}"]
        if "anyOf" in inner.schema or "anyOf" in outer.schema:
            return self._alternatives(inner, outer, where)
        found = [
            *self._types(inner.schema, outer.schema, where),
            *self._values(inner.schema, outer.schema, where),
            *self._bounds(inner.schema, outer.schema, where),
            *self._members(inner, outer, where),
        ]
        if "items" in outer.schema:
            found += self.within(inner.at(inner.schema.get("items", {})), outer.at(outer.schema["items"]), f"{where}[]")
        return found

    def _complaint(self, where: str, what: str) -> str:
        return f"{where or '(event)'}: {what} {self.loss}"

    def _alternatives(self, inner: _Side, outer: _Side, where: str) -> list[str]:
        allowed = [outer.at(option) for option in outer.schema.get("anyOf", [outer.schema])]
        found: list[str] = []
        for option in inner.schema.get("anyOf", [inner.schema]):
            side = inner.at(option)
            judgements = [self.within(side, other, where) for other in allowed]
            if all(judgements):
                # The complaint about the alternative that comes closest tells most.
                same_type = [
                    judgement
                    for judgement, other in zip(judgements, allowed, strict=True)
                    if other.schema.get("type") == side.schema.get("type")
                ]
                closest = min(same_type, key=len) if same_type else self._types(side.schema, outer.schema, where)
                found += closest
        return found

    def _types(self, inner: Schema, outer: Schema, where: str) -> list[str]:
        if "anyOf" in outer:
            return [self._complaint(where, f"the type {inner.get('type', 'any')}")]
        if "type" not in outer:
            return []
        if "type" not in inner:
            return [] if "const" in inner or "enum" in inner else [self._complaint(where, "any type")]
        allowed = _as_set(outer["type"])
        if "number" in allowed:
            allowed |= {"integer"}
        return [self._complaint(where, f"the type {t}") for t in sorted(_as_set(inner["type"]) - allowed)]

    def _values(self, inner: Schema, outer: Schema, where: str) -> list[str]:
        allowed, possible = _listed(outer), _listed(inner)
        if allowed is None:
            return []
        if possible is None:
            return [self._complaint(where, "a value out of a list")]
        return [self._complaint(where, f"the value {value!r}") for value in possible if value not in allowed]

    def _bounds(self, inner: Schema, outer: Schema, where: str) -> list[str]:
        lower = [k for k in _LOWER if k in outer and (k not in inner or inner[k] < outer[k])]
        upper = [k for k in _UPPER if k in outer and (k not in inner or inner[k] > outer[k])]
        other = [k for k in _SAME_OR_ABSENT if k in outer and inner.get(k) != outer[k]]
        return [self._complaint(where, f"by {keyword}, something") for keyword in (*lower, *upper, *other)]

    def _members(self, inner: _Side, outer: _Side, where: str) -> list[str]:
        publishers = self.relying is Relying.PUBLISHERS
        old, new = (inner, outer) if publishers else (outer, inner)
        had, has = old.schema.get("properties", {}), new.schema.get("properties", {})
        found = [f"{_join(where, name)}: the member is gone" for name in had if name not in has]
        for name in sorted(set(outer.schema.get("required", ())) - set(inner.schema.get("required", ()))):
            if publishers:
                found.append(f"{_join(where, name)}: the member is required now")
            elif name in has:
                found.append(f"{_join(where, name)}: the member may be missing now")
        if outer.schema.get("additionalProperties") is False and inner.schema.get("additionalProperties") is not False:
            found.append(self._complaint(where, "an unknown member"))
        for name, member in had.items():
            if name in has:
                sides = (old.at(member), new.at(has[name]))
                found += self.within(*(sides if publishers else sides[::-1]), _join(where, name))
        return found


def _as_set(value: Any) -> set[str]:
    return set(value) if isinstance(value, list) else {value}


def _listed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
