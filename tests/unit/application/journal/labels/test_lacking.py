"""Which scans of a label a claimant lacks, from what histories have of them."""

from __future__ import annotations

from service.application.journal.labels.lacking import lacking
from service.domain.events import KEY_DIGEST_BYTES
from service.domain.rules import DEFAULT
from tests.unit.application.journal.labels.kept import LabelJournal, created, held_scans, moment, scan


def test_of_what_was_recorded_before_identities_were_kept_the_name_tells() -> None:
    journal = LabelJournal()
    for document in (created("R-1", moment(8)), created("R-2", moment(9)), scan("both", moment(12))):
        journal.take(document)
        journal.sweep()
    (held,) = held_scans(journal)
    new, other = held.scans[()]
    old = [other._replace(key=other.key[:KEY_DIGEST_BYTES])]

    assert list(lacking([held._replace(scans={(): [new, *old]})], DEFAULT)) == []
    assert list(lacking([held._replace(scans={(): [*old, new]})], DEFAULT)) == []
    assert [each.return_no for each in lacking([held._replace(scans={(): old})], DEFAULT)] == [new.return_no]
    again = new._replace(key=bytes(2 * KEY_DIGEST_BYTES))  # evaluated again: by another name
    assert list(lacking([held._replace(scans={(): [again]})], DEFAULT)) == []
    assert list(lacking([held._replace(scans={})], DEFAULT)) == []
