"""Reading manifests strictly: a value of another type or range is refused with the path of its field."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from netlab.model import meta
from netlab.model.addresses import NO_CIDR, NO_IP, parse
from netlab.model.errors import FieldError, invalid, invalid_object, not_supported, required
from netlab.model.meta import Manifest

PORT_RANGE = "must be between 1 and 65535, inclusive"


class Reader:
    """Gives a manifest's fields; each method raises ApiError (422) that names the field when it cannot be used."""

    def __init__(self, manifest: Manifest, kind: str) -> None:
        self.manifest = manifest
        self.kind = kind

    def refuse(self, error: FieldError) -> Exception:
        """The error to raise."""
        return invalid_object(self.kind, meta.name(self.manifest), [error])

    def mapping(self, value: Any, path: str) -> Mapping[str, Any]:
        """An object; empty when absent."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.refuse(invalid(path, value, "must be an object"))
        return value

    def items(self, value: Any, path: str) -> list[Any]:
        """A list; empty when absent."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.refuse(invalid(path, value, "must be a list"))
        return value

    def text(self, value: Any, path: str, *, needed: bool = False) -> str:
        """A string; "" when absent, unless it is needed."""
        if value is None or value == "":
            if needed:
                raise self.refuse(required(path))
            return ""
        if not isinstance(value, str):
            raise self.refuse(invalid(path, value, "must be a string"))
        return str(value)

    def flag(self, value: Any, path: str, *, absent: bool) -> bool:
        """A boolean; `absent` when absent."""
        if value is None:
            return absent
        if not isinstance(value, bool):
            raise self.refuse(invalid(path, value, "must be true or false"))
        return bool(value)

    def choice(self, value: Any, path: str, choices: tuple[str, ...]) -> str:
        """One of the choices; the first when absent."""
        text = self.text(value, path) or choices[0]
        if text not in choices:
            raise self.refuse(not_supported(path, text, list(choices)))
        return text

    def port(self, value: Any, path: str, *, needed: bool = False) -> int:
        """A port number; 0 when absent, unless it is needed."""
        if value is None or (value == 0 and not needed):
            if needed:
                raise self.refuse(required(path))
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
            raise self.refuse(invalid(path, value, PORT_RANGE))
        return int(value)

    def address(self, value: Any, path: str) -> str:
        """An IP address in its canonical form; leading zeros in IPv4 are decimal, as the API reads them."""
        try:
            return str(parse(self.text(value, path, needed=True)))
        except ValueError:
            raise self.refuse(invalid(path, value, NO_IP)) from None

    def cidr(self, value: Any, path: str) -> str:
        """An address range, host bits cleared; leading zeros in IPv4 are decimal here too."""
        address, slash, length = self.text(value, path, needed=True).strip().partition("/")
        try:
            return str(ip_network(f"{parse(address)}{slash}{length}", strict=False))
        except ValueError:
            raise self.refuse(invalid(path, value, NO_CIDR)) from None


def contains(cidr: str, address: str) -> bool:
    """Whether a range holds the address; one of the other family does not."""
    return ip_address(address) in ip_network(cidr)
