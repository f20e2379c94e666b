"""Input topics by a prefix: those that are there are read, and those that come later too."""

from __future__ import annotations

from contextlib import closing

from service.adapters.kafka.check import check
from service.adapters.kafka.ends import KafkaEnds
from service.adapters.kafka.publishing.outputs import KafkaOutputs
from tests.support.ingesting import message, working
from tests.support.journals import creation, scan
from tests.support.service import Service
from tests.support.waiting import eventually


def test_topics_of_a_prefix_are_read_and_so_is_one_that_comes_later(service: Service) -> None:
    first = service.topics.create("couriers.nz")
    scans = f"{service.topics.name('scans')},{service.topics.name('couriers.')}*"
    service.variables["RETURNS_TOPIC_SCANS"] = scans
    created, collected = message(service, creation()), message(service, scan("COLLECTED", "10:00"))
    service.publish([created, (first, *collected[1:])])

    with working(service):
        eventually(lambda: service.query("SELECT count(*) FROM history") == [(2,)], 30)
        second = service.topics.create("couriers.au")
        delivered = message(service, scan("DELIVERED", "11:00"))
        service.publish([(second, *delivered[1:])])
        eventually(lambda: service.query("SELECT count(*) FROM history") == [(3,)], 90)

    topics = {topic for (topic,) in service.query("SELECT topic FROM history")}
    assert topics == {created[0], first, second}
    ids = service.query("SELECT count(*) FROM history WHERE topic_id IS NULL")
    assert ids == [(0,)]
    with closing(KafkaEnds(service.settings, patience=20)) as ends, closing(KafkaOutputs(service.settings)) as outputs:
        assert {first, second} <= {topic for topic, _ in ends.bounds() or ()}
        assert {first, second} <= {topic for topic, _ in outputs.input_ends()}
    assert not [said for said in check(service.settings).unchecked if "couriers" in said]
