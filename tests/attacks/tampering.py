"""A results folder whose texts were replaced by attacks, as somebody might send one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from made_study import make_store

from stability.store import Plan, Store
from stability.store.seals import DIGESTS, decode_digests, encode_digests, seal_text, sha256
from stability.store.tables import SCHEMAS, encode_table, read_table

SCRIPT = "window.__pwned=1"
HTML = (
    f"<script>{SCRIPT}</script>",
    f"<img src=x data-pwned onerror={SCRIPT}>",
    f'"><img src=//pwned.example/x data-pwned onerror="{SCRIPT}">',
    f"'><svg data-pwned onload={SCRIPT}>",
    f"</script><script>{SCRIPT}</script>",
    f"</style><style>body{{display:none}}</style><b data-pwned onclick={SCRIPT}>",
    f"<!--<script>{SCRIPT}</script>-->",
    f"--><script>{SCRIPT}</script>",
    f"]]><script>{SCRIPT}</script>",
    f"</title><script>{SCRIPT}</script>",
    f"</textarea></select></table><script>{SCRIPT}</script>",
    f"<a data-pwned href='javascript:{SCRIPT}'>a</a>",
    f"javascript:{SCRIPT}//",
    '<iframe data-pwned srcdoc="<script>parent.__pwned=1</script>"></iframe>',
    "<meta data-pwned http-equiv=refresh content='0;url=//pwned.example'>",
    "<link data-pwned rel=stylesheet href=//pwned.example/x.css>",
    "<base data-pwned href=//pwned.example/>",
)
TEMPLATES = (
    "{{7*7}}",
    "{% raw %}{{ ''.__class__ }}",
    f"${{{SCRIPT}}}",
    f"`+{SCRIPT}+`",
    f'";{SCRIPT};//',
    f"\\u003cscript\\u003e{SCRIPT}",
)
CSS = ("body{background:url(//pwned.example/x)}", "}*{display:none}", "expression(alert(1))")
PATHS = ("../../pwned", "/tmp/pwned", "a\0b", "C:\\pwned", "CON", "x" * 5000, ".", "..", "-rf", "~/pwned")
SPOOFS = ("\u202etxt.exe", "\u200bzero", "line\nbreak", "\x1b[31mred", "=1+1", "@SUM(1)")
ATTACKS = (*HTML, *TEMPLATES, *CSS, *PATHS, *SPOOFS)


def make_folder(place: Path) -> Path:
    """A finished made study."""
    return make_store(place / "results" / "made").folder


def tamper(folder: Path, table: str, column: str, attacks: tuple[str, ...], *, nulls: bool = False) -> None:
    """Replace a column's texts in every cohort, a row an attack in turn; null stays null unless `nulls`.

    The digests are made to fit, as whoever sends such a folder would.
    """
    turn = 0
    for cohort in sorted((folder / "cohorts").iterdir()):
        path = cohort / f"{table}.parquet"
        read = read_table(path, SCHEMAS[table])
        place = read.column_names.index(column)
        kind = read.schema.field(place)
        values = []
        for value in read[column].to_pylist():
            attack = attacks[turn % len(attacks)]
            turn += 1
            text = attack if value or nulls else value
            values.append([attack] * len(value) if isinstance(value, list) else text)
        path.write_bytes(encode_table(read.set_column(place, kind, pa.array(values, kind.type))))
        digests = decode_digests((cohort / DIGESTS).read_bytes()) or {}
        fitting = digests | {path.name: sha256(path.read_bytes())}
        (cohort / DIGESTS).write_bytes(encode_digests(fitting))


def text_columns(table: str) -> list[str]:
    """The columns of a table that hold texts."""
    kinds = (pa.string(), pa.list_(pa.string()))
    return [field.name for field in SCHEMAS[table] if field.type in kinds]


def rewrite_plan(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the plan's JSON; its seal is left out, which readers bear."""
    fields = json.loads((folder / "plan.json").read_bytes())
    fields.pop("sha256", None)
    change(fields)
    (folder / "plan.json").write_text(json.dumps(fields))


def rewrite_study(folder: Path, old: str, new: str) -> None:
    """Change the study file's text; its seal is made to fit."""
    text = Store.open(folder).study_yaml
    assert old in text
    (folder / "study.yaml").write_bytes(seal_text(text.replace(old, new)))


def readable(folder: Path) -> Plan:
    """The plan, once it is clear that the folder can be opened."""
    return Store.open(folder).plan
