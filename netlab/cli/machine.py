"""doctor and version."""

from __future__ import annotations

import os
import platform
from dataclasses import replace

from netlab import __version__
from netlab.cli.arguments import Arguments


def doctor(arguments: Arguments) -> int:
    """Says what the machine lacks, one line each with its remedy: 3 when labs cannot run here."""
    from netlab.kernel.preflight import fitting_mode, lacks

    missing = list(lacks())
    if os.geteuid() == 0:
        from netlab.kernel.preflight_ipv6 import ipv6_lacks

        # Only labs whose ipFamilies have IPv6 need these.
        missing += [replace(lack, warning=True) for lack in ipv6_lacks()]
    print(f"kernel {platform.release()}, Python {platform.python_version()}, "
          f"{'root' if os.geteuid() == 0 else f'user {os.geteuid()}'}")
    for lack in missing:
        print(f"{'warning' if lack.warning else 'missing'}: {lack}")
    unfit = any(not lack.warning for lack in missing)
    if unfit and fitting_mode("")[2]:
        print("this machine can run labs, but with the proxyMode nftables only")
        return 0
    print("this machine cannot run labs" if unfit else "this machine can run labs")
    return 3 if unfit else 0


def version(arguments: Arguments) -> int:
    """The version, and the one of Kubernetes whose behaviour is the measure."""
    print(f"netlab {__version__} (behaves as Kubernetes v1.33)")
    return 0
