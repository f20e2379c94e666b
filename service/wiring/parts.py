"""What several processes are made of, from the settings."""

from __future__ import annotations

import time
from pathlib import Path

from service.config import Settings
from service.domain.rules import DEFAULT, Rules
from service.wire import models
from service.wire.carriers import CarrierTables
from service.wire.inbound import Parser
from service.wire.judging.moments import MICROS_A_DAY
from service.wire.judging.publishers import Publishers, load_publishers
from service.wire.numbering.ranges import NumberRanges, load_ranges


def database(settings: Settings) -> str:
    """Where PostgreSQL is, with the password."""
    return settings.database_url.get_secret_value()


def carrier_tables(settings: Settings) -> CarrierTables:
    """The carrier tables that ship with the service, and those of the folder in the settings."""
    return CarrierTables.load(*([Path(settings.carrier_tables)] if settings.carrier_tables else []))


def rules(settings: Settings) -> Rules:
    """What operators set of the rules by which returns are decided."""
    found = Rules(settings.connote_days, settings.label_lead_hours, settings.label_reuse_days)
    return DEFAULT if found == DEFAULT else found


def topics_by_type(settings: Settings) -> dict[str, str]:
    """The input topic that each event type is sent to. Raises SettingsError."""
    return {
        event_type: settings.sent_to(setting)
        for setting, event_types in models.TYPES_BY_TOPIC_SETTING.items()
        for event_type in event_types
    }


def number_ranges(settings: Settings) -> NumberRanges:
    """The ranges that tracking numbers are taken from; none without a file of them. Raises SettingsError."""
    return load_ranges(Path(settings.numbers_file) if settings.numbers_file else None)


def publishers(settings: Settings) -> Publishers | None:
    """Who may say what; None where everything is allowed. Raises SettingsError."""
    return load_publishers(Path(settings.publishers)) if settings.publishers else None


def parser(settings: Settings, tables: CarrierTables) -> Parser:
    """Who may write a topic may assert what its types assert, and nothing else."""
    types = {
        entry: types for setting, types in models.TYPES_BY_TOPIC_SETTING.items() for entry in settings.entries(setting)
    }
    oldest = settings.creation_age_days * MICROS_A_DAY
    return Parser(tables, types, lambda: time.time_ns() // 1000, publishers(settings), oldest)
