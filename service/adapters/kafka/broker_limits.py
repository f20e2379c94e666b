"""What the brokers allow, for a person whose setting they refused."""

from __future__ import annotations

from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType

from service.adapters.kafka.options import asking
from service.config import Settings
from service.settings.environment import PREFIX

_TIMEOUT_MS: Final = 5_000


def refused(settings: Settings, setting: str, *limits: str) -> str:
    """A sentence that names the setting with its value, and the brokers' limits with theirs where they tell."""
    value = getattr(settings, setting)
    told = ", ".join(f"{name}={found}" for name, found in _configured(settings, limits).items()) or ", ".join(limits)
    return f"{PREFIX}{setting.upper()}: Kafka refuses {value}; what it allows is set at the brokers: {told}"


def _configured(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """The values at one broker; none where it does not say, or may not be asked."""
    try:
        with asking(settings, "returns-limits", _TIMEOUT_MS) as admin:
            broker = str(admin.describe_cluster()["brokers"][0]["broker_id"])
            asked = ConfigResource(ConfigResourceType.BROKER, broker, list(names))
            described = admin.describe_configs([asked], config_filter="all")["broker"]
            found = next(iter(described.values()))
            return {name: str(found[name]["value"]) for name in names if name in found}
    except Exception:  # noqa: BLE001 - the sentence does without them
        return {}
