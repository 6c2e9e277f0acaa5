"""The step `logs`: what the containers of pods wrote."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.scenario.actions import NotYet, Observation, action
from netlab.scenario.schema import Record, Short, Text, Whole
from netlab.scenario.stage import Stage

SHAPE = Short("of", Record({"of": Text(), "container": Text(), "tail": Whole()}, required=("of",)))


@action("logs", SHAPE, looks=True, checks=("stdout",))
def logs(stage: Stage, said: dict[str, Any]) -> Observation:
    """The last lines (all without `tail`) of `pod/NAME`, or of all pods with a label; of ended containers too."""
    text = said["of"]
    pods = [stage.object(text)] if text.startswith(("pod/", "pods/", "po/")) else stage.objects("pods", selector=text)
    if not pods:
        raise NotYet(f"there is no pod with {text}")
    query = "&".join([*([f"container={quote(said['container'])}"] if "container" in said else []),
                      *([f"tailLines={said['tail']}"] if "tail" in said else [])])
    container = f" -c {said['container']}" if "container" in said else ""
    return Observation(f"logs {text}{container}", stdout="".join(_log(stage, pod, query) for pod in pods))


def _log(stage: Stage, pod: Manifest, query: str) -> str:
    path = f"/api/v1/namespaces/{meta.namespace(pod)}/pods/{meta.name(pod)}/log"
    try:
        return b"".join(stage.lab.api.stream(path + (f"?{query}" if query else ""))).decode(errors="replace")
    except ApiError as error:  # it has not started yet
        raise NotYet(f"no log of {meta.name(pod)}: {error.message}") from None
    except OSError as error:
        raise LabError(f"the log of {meta.name(pod)}: {error}") from None
