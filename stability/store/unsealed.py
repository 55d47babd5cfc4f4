"""A study file without its digest: put there by hand, or cut short. Imports spec and the store."""

from __future__ import annotations

from stability.errors import StabilityError
from stability.spec import StudySpec
from stability.spec.loader import dump_study, parse_study
from stability.store.seals import is_whole
from stability.store.store import STUDY, Store


def unsealed_study(store: Store) -> StudySpec | None:
    """The study of a file that somebody put in the place of a lost one; None where it may have been cut.

    A file of the program's own has every value written out: of one that begins so, and ends before its last
    value, nothing tells what the rest was.
    """
    try:
        content = store.read_whole(STUDY)
        text = content.decode()
        spec = parse_study(text, source=str(store.folder / STUDY))
    except StabilityError:
        return None
    whole, lines = dump_study(spec), text[: text.rfind("\n") + 1]
    is_cut = whole.startswith(lines) and not text.startswith(whole)
    return None if is_cut or is_whole(content) is not None else spec
