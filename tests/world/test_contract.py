"""The models keep the contracts; `tests/integration` holds the real servers to the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import SinkOptions
from tests.world import glue
from tests.world.consuming import ModelSource
from tests.world.contract import JournalContract
from tests.world.contract_kafka import SinkContract, SourceContract
from tests.world.kafka import Kafka, Txn
from tests.world.producing import ModelLimits
from tests.world.stages import ModelStage, on_the_model


class TestTheModelOfPostgreSQL(JournalContract):
    @pytest.fixture
    def stage(self) -> Iterator[ModelStage]:
        with on_the_model() as stage:
            yield stage


class _ModelBroker:
    outputs = glue.OUTPUTS
    topic = "returns"

    def __init__(self, stage: ModelStage, kafka: Kafka) -> None:
        self._stage, self._kafka = stage, kafka
        self.play = stage.together

    def sink(self) -> KafkaSink:
        limits: Any = ModelLimits()
        return KafkaSink(None, SinkOptions(), self.outputs, lambda: None, limits)  # type: ignore[arg-type]

    def source(self) -> ModelSource:
        return ModelSource(self._kafka)

    def publish(self, values: list[bytes], *, commit: bool | None = None) -> None:
        txn = None if commit is None else Txn(7, 0, 0.0)
        for value in values:
            self._kafka.publish(self.topic, 0, b"k", value, (), txn)
        if txn is not None:
            self._kafka.mark(txn, self._kafka.topics[self.topic].logs[0], commit=bool(commit))


@pytest.fixture
def broker() -> Iterator[_ModelBroker]:
    with on_the_model() as stage:
        yield _ModelBroker(stage, glue.here().kafka)


class TestTheModelOfTheSink(SinkContract):
    """All of it."""


class TestTheModelOfTheSource(SourceContract):
    """All of it."""
