"""Filters of lists as conditions in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, LiteralString

from psycopg import sql

# How few returns are found by these; a label need not be that of the creation which counts.
BY_NUMBERS: Final[Mapping[str, LiteralString]] = {
    "return_id": "return_no = ANY (ARRAY(SELECT n.return_no FROM returns n WHERE n.return_id = ANY ({value}::text[])))",
    "tracking_number": "return_no = ANY (ARRAY("
    "SELECT l.return_no FROM labels l WHERE l.tracking_number = ANY ({value}::text[]) AND NOT EXISTS ("
    "SELECT FROM label_claims v WHERE v.carrier = l.carrier AND v.tracking_number = l.tracking_number "
    "AND v.return_no = l.return_no AND v.is_void) "
    "UNION SELECT c.return_no FROM label_claims c WHERE c.tracking_number = ANY ({value}::text[]) AND NOT c.is_void))",
}


def filtered(names: Iterable[str], otherwise: Mapping[str, LiteralString] = MappingProxyType({})) -> sql.Composed:
    """Rows with the values of these parameters in the columns of their names, or `otherwise`; null lets every row through."""

    def condition(name: str) -> sql.Composed:
        value, column = sql.Placeholder(name), sql.Identifier(name)
        if name not in otherwise:
            return sql.SQL("({value}::text IS NULL OR {column} = {value}::text)").format(value=value, column=column)
        found = sql.SQL(otherwise[name]).format(value=value)
        return sql.SQL("({value}::text[] IS NULL OR {found})").format(value=value, found=found)

    return sql.SQL(" AND ").join(map(condition, names))
