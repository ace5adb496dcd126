"""The notification resource: signed JSON messages to one webhook."""

import hashlib
import hmac
import json
import time
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.errors import MlopsError


class Notification(dg.ConfigurableResource):
    """Posts messages where a webhook is configured; without one it does nothing."""

    webhook_url: str = Field(default="", repr=False)
    """Address that takes a JSON POST."""
    webhook_secret: str = Field(default="", repr=False)
    """Key of the HMAC-SHA256 over ``timestamp.body``; header ``X-Mlops-Signature``."""

    def send(self, message: dict[str, Any]) -> bool:
        """Post ``message``; return whether there was somewhere to post it.

        Raises:
            MlopsError: if the receiver does not answer with success.
        """
        if not self.webhook_url:
            return False
        import requests

        body = json.dumps(message, sort_keys=True)
        timestamp = str(int(time.time()))
        headers = {"Content-Type": "application/json", "X-Mlops-Timestamp": timestamp}
        if self.webhook_secret:
            headers["X-Mlops-Signature"] = self._signature(timestamp, body)
        try:
            requests.post(
                self.webhook_url, data=body.encode(), headers=headers, timeout=10, allow_redirects=False
            ).raise_for_status()
        except requests.RequestException as error:
            raise MlopsError(f"The webhook did not take the message: {type(error).__name__}") from error
        return True

    def _signature(self, timestamp: str, body: str) -> str:
        return hmac.new(self.webhook_secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()
