"""What can go wrong between us and a provider, as a notifier sees it.

OutboundError
├── NotSent         surely not sent: no such name, no connection, no trust, no thread free; trying again is safe
│   └── Forbidden   the address may not be dialled at all; only a changed setting or address helps
└── NoAnswer        sent, wholly or in part, and no whole answer came; it may have arrived

Their texts are shown to people and stored: they name hosts, never paths, tokens or passwords.
"""

from __future__ import annotations

import ssl


class OutboundError(Exception):
    """A message did not get a final answer."""


class NotSent(OutboundError):
    """Nothing of the message left this process."""


class Forbidden(NotSent):
    """The guard refused to dial; the text says why and which setting would change it."""


class NoAnswer(OutboundError):
    """The message left, and whether it arrived is not known."""


def tls_trouble(error: BaseException) -> str | None:
    """What went wrong in the TLS handshake that lies under this error, in words; None when it was something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
        cause = cause.__cause__ or cause.__context__
    return None
