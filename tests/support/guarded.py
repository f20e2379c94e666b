"""A broker that lets nobody do anything that no ACL allows: each process of the service has a user of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from deploy.acls import WHY, Acl
from deploy.local.kafka_server import KafkaServer
from deploy.local.process import free_port

PASSWORD: Final = "right-hush"
_KINDS: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS: Final = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Create": ACLOperation.CREATE,
    "Describe": ACLOperation.DESCRIBE,
    "Alter": ACLOperation.ALTER,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
    "AlterConfigs": ACLOperation.ALTER_CONFIGS,
}


class GuardedKafka:
    """`server` has a listener without a password, for the test, which may do everything; `address` is the other one."""

    def __init__(self, home: Path) -> None:
        port, guarded, controller = free_port(), free_port(), free_port()
        listeners = f"PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{guarded}"
        users = " ".join(f'user_{process}="{PASSWORD}"' for process in WHY)
        self.address = f"127.0.0.1:{guarded}"
        self.server = KafkaServer(
            home,
            heap="384m",
            settings={
                "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": listeners,
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,"
                "CONTROLLER:PLAINTEXT",
                "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "sasl.enabled.mechanisms": "PLAIN",
                "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                    f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
                ),
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
            },
        )
        self.server.home.mkdir(parents=True, exist_ok=True)
        self.server._state.update(port=port, controller_port=controller)

    def allow(self, acls: Iterable[Acl]) -> None:
        """Let the users do these, and nothing else."""
        admin: Any = KafkaAdminClient(bootstrap_servers=self.server.bootstrap_servers)
        answer = admin.create_acls(
            [
                ACL(
                    principal=f"User:{acl.process}",
                    host="*",
                    operation=_OPERATIONS[operation],
                    permission_type=ACLPermissionType.ALLOW,
                    resource_pattern=ResourcePattern(
                        _KINDS[acl.kind],
                        acl.name,
                        ACLResourcePatternType.PREFIXED if acl.is_prefix else ACLResourcePatternType.LITERAL,
                    ),
                )
                for acl in acls
                for operation in acl.operations
            ]
        )
        admin.close()
        assert not answer["failed"], answer

    def variables(self, user: str) -> dict[str, str]:
        """How a process logs in."""
        return {
            "RETURNS_KAFKA_BOOTSTRAP_SERVERS": self.address,
            "RETURNS_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "RETURNS_KAFKA_SASL_MECHANISM": "PLAIN",
            "RETURNS_KAFKA_SASL_USERNAME": user,
            "RETURNS_KAFKA_SASL_PASSWORD": PASSWORD,
        }
