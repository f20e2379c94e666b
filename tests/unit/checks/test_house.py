"""The check of the house's figures finds what is over a limit, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks import house
from tests.checks.house import counted
from tests.checks.repeats import python_lines, repeats, sql_lines

SUM = """
def total(orders):
    found = 0
    for order in orders:
        if order.is_open:
            found += order.amount * order.rate
        else:
            raise ValueError(order)
    return found
"""


def write(root: Path, **modules: str) -> Path:
    """A tree of modules; `a__b` stands in a folder."""
    for name, text in modules.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root


def test_a_house_in_order_has_nothing_to_complain_of(tmp_path: Path) -> None:
    found = counted(write(tmp_path, one="def f():\n    pass\n", two="A = 1\n", __init__=""))

    assert found.complaints({}) == []
    assert found.modules == {".": 2}


@pytest.mark.parametrize(
    ("modules", "complaint"),
    (
        ({f"wing__m{n}": "A = 1\n" for n in range(16)}, "wing: 16 modules, 15 at most"),
        ({"long": "A = 1\n" * 301}, "long.py: 301 lines, 300 at most"),
        ({"deep": "class C:\n    def f(self):\n" + "        f()\n" * 46}, "deep.py:C.f: 47 lines, 46 at most"),
        ({"within": "def f():\n    async def g():\n" + "        f()\n" * 46}, "within.py:f.g: 47 lines, 46 at most"),
        (
            {"wide": "class C:\n    def __init__(self, a, b, c, d, *, e, f, g, h):\n        pass\n"},
            "wide.py:C.__init__: 8 parameters, 7 at most",
        ),
    ),
)
def test_what_is_over_a_limit_is_named(tmp_path: Path, modules: dict[str, str], complaint: str) -> None:
    small = {"small": "def f():\n    pass\n\n\ndef g():\n    pass\n\n\ndef h():\n    pass\n"}
    found = counted(write(tmp_path, **small, **modules))

    assert complaint in found.complaints({})
    assert complaint not in found.complaints(dict.fromkeys(found.over(), "a reason"))


def test_long_functions_everywhere_have_no_exception(tmp_path: Path) -> None:
    found = counted(write(tmp_path, one=SUM))._replace(functions=[house.Function("one.py:f", 6, 0)])

    assert found.complaints({}) == ["the median of functions: 6 lines, 5 at most"]


def test_what_is_said_twice_is_found_with_other_names_and_comments_too(tmp_path: Path) -> None:
    again = SUM.replace("order", "letter").replace("found", "result").replace("    return", "    # why\n\n    return")
    write(tmp_path, one=f"A = 1\n{SUM}", two=again)

    (repeat,) = repeats(sorted(tmp_path.glob("*.py")), tmp_path)

    assert str(repeat) == "one.py:4-10 ~ two.py:3-11"
    assert "one.py ~ two.py: one.py:4-10 ~ two.py:3-11 say the same" in counted(tmp_path).complaints({})


def test_a_function_that_stands_twice_in_a_module_is_found(tmp_path: Path) -> None:
    write(tmp_path, one=SUM + SUM)

    assert [str(each) for each in repeats([tmp_path / "one.py"], tmp_path)] == ["one.py:2-9 ~ one.py:11-18"]


def test_lists_of_declarations_and_five_lines_are_no_repeat(tmp_path: Path) -> None:
    fields = "".join(f"    {name}: int = {n}\n" for n, name in enumerate("abcdefgh"))
    others = "".join(f"    {name}: str = 'x{n}'\n" for n, name in enumerate("klmnopqr"))
    five = "".join(SUM.splitlines(keepends=True)[:6])
    write(tmp_path, one=f"class A:\n{fields}", two=f"class B:\n{others}", three=five, four=five)

    assert repeats(sorted(tmp_path.glob("*.py")), tmp_path) == []


def test_neither_docstrings_nor_imports_nor_lone_brackets_count() -> None:
    lines = python_lines('"""Says\nmuch."""\nimport os\nfrom a import (\n    b,\n)\nc = [\n    1,\n]\n')

    assert [line.number for line in lines] == [7, 8]
    assert [line.text for line in sql_lines("-- a query\nSELECT  a\n);\n")] == ["SELECT a"]
