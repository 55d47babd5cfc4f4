"""A study file without its digest: put there by hand, or cut short. Imports spec and the store."""

from __future__ import annotations

from stability.errors import StabilityError
from stability.spec import StudySpec
from stability.spec.loader import dump_study, parse_study
from stability.store.seals import is_whole
from stability.store.store import STUDY, Store, of_study


def unsealed_study(store: Store) -> StudySpec | None:
    """The study of a file that somebody put in the place of a lost one; None if it is another's, or cut.

    The environment knows the study by a digest of all its values, whether or not the file writes them out.
    """
    try:
        content = store.read_whole(STUDY)
        spec = parse_study(content.decode(), source=str(store.folder / STUDY))
        environment = store.environment
    except StabilityError:
        return None
    is_ours = of_study(environment, dump_study(spec)) == environment
    return spec if is_ours and is_whole(content) is None else None
