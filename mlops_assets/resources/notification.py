"""The notification resource: signed JSON messages to one webhook, kept until it has taken them."""

import hashlib
import hmac
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.errors import MlopsError
from mlops_assets.resources.redaction import redacted
from mlops_assets.resources.webhook import SECONDS, Webhook
from mlops_assets.storage.messages import Message, Outbox
from mlops_assets.storage.storage import Storage

logger = logging.getLogger("mlops_assets.notification")

MOST_SECONDS = 30
"""How long one caller goes on: Dagster ends a sensor's tick after a minute."""


@dataclass(frozen=True)
class Delivery:
    """What came of the messages that were due."""

    delivered: int = 0
    error: str = ""
    """Why the webhook did not take one; empty where it took all."""


class Notification(dg.ConfigurableResource):
    """Posts messages where a webhook is configured; without one it does nothing."""

    webhook_url: str = Field(default="", repr=False)
    """Address that takes a JSON POST."""
    webhook_secret: str = Field(default="", repr=False)
    """Key of the HMAC-SHA256 over ``timestamp.body``; header ``X-Mlops-Signature``."""
    private: bool = False
    """Whether the address may be private or loopback."""
    seconds: float = SECONDS
    """Limit of one POST, everything together."""

    def send(self, storage: Storage, message: dict[str, Any]) -> Delivery:
        """Write ``message`` into the outbox, and post what is due; what is not taken waits and is tried again."""
        if not self.webhook_url:
            return Delivery()
        Outbox(storage.records).put(redacted(json.dumps(message, sort_keys=True)))
        return self.deliver(storage)

    def deliver(self, storage: Storage) -> Delivery:
        """Post the messages that are due, until one is not taken."""
        outbox, delivered, last = Outbox(storage.records), 0, time.monotonic() + MOST_SECONDS
        while self.webhook_url and time.monotonic() < last and (message := outbox.claim()):
            try:
                self._post(message)
            except MlopsError as error:  # kept with the message, named by `mlops doctor`, and tried again
                logger.warning("message %d, attempt %d: %s", message.id, message.attempts + 1, error)
                outbox.failed(message, str(error))
                return Delivery(delivered, str(error))
            outbox.delivered(message)
            delivered += 1
        return Delivery(delivered)

    def _post(self, message: Message) -> None:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Mlops-Timestamp": timestamp,
            "X-Mlops-Message": str(message.id),  # the same in each attempt: a receiver can tell repeats
        }
        if self.webhook_secret:
            headers["X-Mlops-Signature"] = self._signature(timestamp, message.body)
        Webhook(self.webhook_url, self.private, self.seconds).post(message.body.encode(), headers)

    def _signature(self, timestamp: str, body: str) -> str:
        return hmac.new(self.webhook_secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()
