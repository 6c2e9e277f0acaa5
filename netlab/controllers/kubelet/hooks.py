"""Lifecycle hooks: postStart and preStop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from netlab.controllers.kubelet.doors import PodHandle
from netlab.controllers.kubelet.probing import Outcome, exec_in, http_get


async def run_hook(hook: Mapping[str, Any], container: Mapping[str, Any], *, netns: str, address: str,
                   handle: Callable[[], PodHandle | None], limit: float) -> Outcome:
    """Whether the hook succeeded within `limit` seconds, and what it says."""
    if "sleep" in hook:
        await asyncio.sleep(min(float(hook["sleep"].get("seconds") or 0), limit))
        return True, ""
    if "exec" in hook:
        return await exec_in(container["name"], tuple(hook["exec"].get("command") or ()), handle, limit=limit)
    if "httpGet" in hook:
        target = {"port": 80} | dict(hook["httpGet"])
        try:
            return await http_get(target, container.get("ports") or (), netns=netns, address=address, limit=limit)
        except ValueError as error:
            return False, str(error)
    return False, f"unsupported hook: {', '.join(hook) or 'none'}"
