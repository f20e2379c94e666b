"""What several processes are made of, from the settings."""

from __future__ import annotations

import time
from pathlib import Path

from service.config import Settings
from service.domain.rules import DEFAULT, Rules
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser


def database(settings: Settings) -> str:
    """Where PostgreSQL is, with the password."""
    return settings.database_url.get_secret_value()


def carrier_tables(settings: Settings) -> CarrierTables:
    """The carrier tables that ship with the service, and those of the folder in the settings."""
    return CarrierTables.load(*([Path(settings.carrier_tables)] if settings.carrier_tables else []))


def rules(settings: Settings) -> Rules:
    """What operators set of the rules by which returns are decided."""
    found = Rules(settings.connote_days)
    return DEFAULT if found == DEFAULT else found


def topics_by_type(settings: Settings) -> dict[str, str]:
    """The input topic of each event type."""
    return {
        event_type: getattr(settings, setting)
        for setting, event_types in models.TYPES_BY_TOPIC_SETTING.items()
        for event_type in event_types
    }


def parser(settings: Settings, tables: CarrierTables) -> Parser:
    """Who may write a topic may assert what its types assert, and nothing else."""
    types = {getattr(settings, setting): types for setting, types in models.TYPES_BY_TOPIC_SETTING.items()}
    return Parser(tables, types, lambda: time.time_ns() // 1000)
