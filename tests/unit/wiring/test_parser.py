"""What a topic takes is what the documentation of the topics is made from."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from service.config import Settings
from service.errors import InvalidEvent
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.record import Record
from service.wiring.parts import parser
from tests.unit.wire.events import envelope, record

SETTINGS = Settings(kafka_bootstrap_servers="k:1", database_url=SecretStr("postgresql://d/d"))
TYPES = [(setting, type_) for setting in models.TYPES_BY_TOPIC_SETTING for type_ in models.MODELS]


@pytest.mark.parametrize(("setting", "type_"), TYPES)
def test_a_topic_takes_the_types_of_the_table_and_no_others(setting: str, type_: str) -> None:
    takes = parser(SETTINGS, CarrierTables.load())
    message = record(envelope(type_))
    there = Record(getattr(SETTINGS, setting), 0, 0, message.timestamp, None, message.value, message.headers)

    if type_ in models.TYPES_BY_TOPIC_SETTING[setting]:
        assert takes.parse(there).type == type_
    else:
        with pytest.raises(InvalidEvent, match="does not belong on this topic"):
            takes.parse(there)


def test_every_input_topic_has_its_types() -> None:
    named = [getattr(SETTINGS, setting) for setting in models.TYPES_BY_TOPIC_SETTING]

    assert sorted(named) == sorted(SETTINGS.input_topics)
    assert {type_ for types in models.TYPES_BY_TOPIC_SETTING.values() for type_ in types} == models.MODELS.keys()


def test_topics_of_a_prefix_take_what_the_setting_takes() -> None:
    settings = SETTINGS.model_copy(update={"topic_scans": "scans,scans.*"})
    takes = parser(settings, CarrierTables.load())
    scan, hub = record(envelope(models.CARRIER_SCANNED)), record(envelope(models.HUB_REJECTED))

    for topic in ("scans", "scans.nz", "scans.nz"):
        assert takes.parse(replace(scan, topic=topic)).type == models.CARRIER_SCANNED
        with pytest.raises(InvalidEvent, match="does not belong on this topic but on omnirps"):
            takes.parse(replace(hub, topic=topic))
