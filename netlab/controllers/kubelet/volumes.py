"""A pod's volumes: directories below its run directory, filled from the objects that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from netlab.controllers.kubelet.environment import ConfigError, Find, contents, field_value
from netlab.kernel.pod_spec import Mount
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.model.names import dns_subdomain

TokenSource = Callable[[Mapping[str, Any]], str]
"""Gives the token that a serviceAccountToken source asks for; "" when it cannot be had yet."""
WRITABLE = ("emptyDir", "persistentVolumeClaim")
READABLE_FILE, READABLE_DIRECTORY = 0o644, 0o755  # whatever the umask is: a container's user may be another than root


class MountError(Exception):
    """A volume cannot be had; the text is that of the FailedMount event."""


@dataclass(frozen=True)
class Volume:
    """Where a volume is on the machine, and the files that it must have (None: they are not ours)."""

    name: str
    path: Path
    files: Mapping[str, bytes] | None = None
    make: bool = False


def plan(pod: Manifest, directory: Path, find: Find, token: TokenSource = lambda source: "", *,
         claims: Path = Path("claims")) -> tuple[Volume, ...]:
    """The pod's volumes as they should be now. Raises MountError.

    A claim of a StatefulSet is a directory in `claims`: it is there again for the next pod of that name.
    """
    result = []
    for volume in meta.spec(pod).get("volumes") or ():
        name = volume["name"]
        path = directory / "volumes" / name
        try:
            files = _files(volume, pod, find, token)
        except ConfigError as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from None
        if files is not None:
            result.append(Volume(name, path, files))
        elif "hostPath" in volume:
            create = str(volume["hostPath"].get("type") or "").endswith("OrCreate")
            result.append(Volume(name, Path(volume["hostPath"].get("path", "")), make=create))
        elif "emptyDir" in volume or set(volume) == {"name"}:
            result.append(Volume(name, path, make=True))
        elif claim := _claim(volume, pod, claims):
            result.append(Volume(name, claim, make=True))
        else:
            kinds = ", ".join(sorted(set(volume) - {"name"}))
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : volumes of type {kinds} are not '
                             "available in a lab; use emptyDir, configMap, secret, downwardAPI, projected or hostPath")
    return tuple(result)


def _claim(volume: Mapping[str, Any], pod: Manifest, claims: Path) -> Path | None:
    """Where the claim is that a volume mounts: one that a StatefulSet makes for its pod, or has made before."""
    name = str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")
    if not name or dns_subdomain(name):
        return None
    owned = (meta.controller_of(pod) or {}).get("kind") == "StatefulSet"
    made = (owned and name == f"{volume['name']}-{meta.name(pod)}") or (claims / name).is_dir()
    return claims / name if made else None


def write(planned: Iterable[Volume]) -> None:
    """Makes the volumes so; repeatable. Raises MountError."""
    for volume in planned:
        if volume.files is not None:
            volume.path.mkdir(parents=True, exist_ok=True)
            volume.path.chmod(READABLE_DIRECTORY)
            _write(volume.path, volume.files)
        elif not volume.path.exists():
            if not volume.make:
                raise MountError(f'MountVolume.SetUp failed for volume "{volume.name}" : hostPath type check failed: '
                                 f"{volume.path} does not exist on the machine")
            volume.path.mkdir(parents=True)
            volume.path.chmod(0o777)


def mounts(pod: Manifest, container: Mapping[str, Any], planned: Iterable[Volume]) -> tuple[Mount, ...]:
    """The container's volumeMounts. What comes from the machine or from objects is read-only. Raises MountError."""
    kinds = {v["name"]: next((k for k in v if k != "name"), "emptyDir") for v in meta.spec(pod).get("volumes") or ()}
    paths, result = {volume.name: volume.path for volume in planned}, []
    for mount in container.get("volumeMounts") or ():
        source = paths.get(mount["name"])
        if source is None:
            raise MountError(f'volume "{mount["name"]}" of container "{container["name"]}" is not in spec.volumes')
        if mount.get("subPath"):
            below = PurePosixPath(mount["subPath"])
            if below.is_absolute() or ".." in below.parts:
                raise MountError(f'subPath "{below}" of container "{container["name"]}" must stay inside of the volume')
            source = _below(source, below)
            if kinds[mount["name"]] in WRITABLE:
                source.mkdir(parents=True, exist_ok=True)
        writable = kinds[mount["name"]] in WRITABLE and not mount.get("readOnly")
        result.append(Mount(str(source), mount["mountPath"], read_only=not writable))
    return tuple(result)


def _below(volume: Path, below: PurePosixPath) -> Path:
    """A path in the volume. What a pod wrote there must not lead elsewhere on the machine: no link is followed."""
    path = volume
    for part in below.parts:
        path = path / part
        if path.is_symlink():
            raise MountError(f'subPath "{below}" leads through the symbolic link {path.relative_to(volume)}')
    return path


def _files(volume: Mapping[str, Any], pod: Manifest, find: Find, token: TokenSource) -> dict[str, bytes] | None:
    if "configMap" in volume:
        return _object(volume["configMap"], "configmaps", volume["configMap"].get("name", ""), pod, find)
    if "secret" in volume:
        source = volume["secret"]
        return _object(source, "secrets", source.get("secretName") or source.get("name", ""), pod, find)
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], pod)
    if "projected" not in volume:
        return None
    result: dict[str, bytes] = {}
    for source in volume["projected"].get("sources") or ():
        for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
            if kind in source:
                result |= _object(source[kind], resource, source[kind].get("name", ""), pod, find)
        if "downwardAPI" in source:
            result |= _downward(source["downwardAPI"], pod)
        if "serviceAccountToken" in source:
            text = token(source["serviceAccountToken"])
            if not text:
                account = meta.spec(pod).get("serviceAccountName", "default")
                raise ConfigError(f'failed to fetch token: serviceaccounts "{account}" not found')
            result[source["serviceAccountToken"]["path"]] = text.encode()
    return result


def _object(source: Mapping[str, Any], resource: str, name: str, pod: Manifest, find: Find) -> dict[str, bytes]:
    found = find(resource, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise ConfigError(f'{resource[:-1]} "{name}" not found')
    data = contents(found)
    items = source.get("items")
    if not items:
        return data
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise ConfigError(f"references non-existent {resource[:-1]} key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _downward(source: Mapping[str, Any], pod: Manifest) -> dict[str, bytes]:
    return {item["path"]: field_value(pod, (item.get("fieldRef") or {}).get("fieldPath", "")).encode()
            for item in source.get("items") or ()}


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    # Files are replaced by rename, so a reader in the pod sees the old or the new text, never a part.
    for name, data in files.items():
        path = directory / PurePosixPath(name)
        if ".." in path.parts or name.startswith("/"):
            raise MountError(f"the path {name!r} must stay inside of the volume")
        if path.is_file() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.parents[:len(PurePosixPath(name).parts) - 1]:
            parent.chmod(READABLE_DIRECTORY)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        temporary.chmod(READABLE_FILE)
        temporary.rename(path)
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            if str(path.relative_to(directory)) not in files:
                path.unlink()
