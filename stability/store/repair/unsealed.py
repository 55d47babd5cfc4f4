"""A study file without its digest: put there by hand, or cut short. Imports spec and the store."""

from __future__ import annotations

from stability.errors import StabilityError
from stability.spec import StudySpec
from stability.spec.loader import dump_study, parse_study
from stability.store.folder import STUDY, read_text_file, with_study_digest
from stability.store.seals import is_whole
from stability.store.store import Store


def unsealed_study(store: Store) -> StudySpec | None:
    """The study of a file that somebody put in the place of a lost one; None if it is another's, or cut.

    The environment knows the study by a digest of all its values, whether or not the file writes them out.
    """
    try:
        content = read_text_file(store.folder, STUDY)
        spec = parse_study(content.decode(), source=str(store.folder / STUDY))
        environment = store.environment
    except StabilityError:
        return None
    is_ours = with_study_digest(environment, dump_study(spec)) == environment
    return spec if is_ours and is_whole(content) is None else None
