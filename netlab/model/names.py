"""Which texts may name things: DNS labels and subdomains, port names, label keys and values.

Each function gives the problems as upstream words them (k8s.io/apimachinery/pkg/util/validation), none when valid.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_UNDERSCORE = rf"{_LABEL_UNDERSCORE}(\.{_LABEL_UNDERSCORE})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

_LABEL_TEXT = ("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
               "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
               f"'{_LABEL}')")
_LABEL_1035_TEXT = ("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
                    f"regex used for validation is '{_LABEL_1035}')")
_SUBDOMAIN_TEXT = ("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                   "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation "
                   f"is '{_SUBDOMAIN}')")
_SUBDOMAIN_UNDERSCORE_TEXT = ("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', "
                              "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "
                              f"regex used for validation is '{_SUBDOMAIN_UNDERSCORE}')")
_NAME_PART = ("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
              f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
              f"'{_QUALIFIED}')")
_VALUE_TEXT = ("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
               f"for validation is '{_VALUE}')")


def _check(text: str, pattern: str, wording: str, limit: int) -> list[str]:
    problems = [f"must be no more than {limit} characters"] if len(text) > limit else []
    if not re.fullmatch(pattern, text[:300], re.ASCII):  # these patterns are slow on long texts
        problems.append(wording)
    return problems


def dns_label(text: str) -> list[str]:
    """An RFC 1123 label: namespaces, port names of Services, container names."""
    return _check(text, _LABEL, _LABEL_TEXT, 63)


def dns_1035_label(text: str) -> list[str]:
    """An RFC 1035 label: names of Services, which start with a letter."""
    return _check(text, _LABEL_1035, _LABEL_1035_TEXT, 63)


def dns_subdomain(text: str) -> list[str]:
    """An RFC 1123 subdomain: names of most objects."""
    return _check(text, _SUBDOMAIN, _SUBDOMAIN_TEXT, 253)


def dns_search(text: str) -> list[str]:
    """A domain of a resolver's search list, which may have underscores (KEP-4427)."""
    return _check(text, _SUBDOMAIN_UNDERSCORE, _SUBDOMAIN_UNDERSCORE_TEXT, 253)


def port_name(text: str) -> list[str]:
    """A name by RFC 6335 section 5.1, as named target ports and container ports have."""
    problems = []
    if len(text) > 15:
        problems.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", text):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        problems.append("must contain at least one letter (a-z)")
    if "--" in text:
        problems.append("must not contain consecutive hyphens")
    if text and (text[0] == "-" or text[-1] == "-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(number: int) -> list[str]:
    """A port from 1 to 65535."""
    return [] if 1 <= number <= 65535 else ["must be between 1 and 65535, inclusive"]


def qualified_name(text: str) -> list[str]:
    """A key of a label or annotation: an optional DNS prefix and a slash, then a name."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return [f"a qualified name {_NAME_PART} with an optional DNS subdomain prefix and '/' "
                "(e.g. 'example.com/MyName')"]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_subdomain(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not re.fullmatch(_QUALIFIED, name[:300]):
        problems.append(f"name part {_NAME_PART}")
    return problems


def label_value(text: str) -> list[str]:
    """The value of a label."""
    return _check(text, _VALUE, _VALUE_TEXT, 63)
