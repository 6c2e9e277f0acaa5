"""What the API knows of one kind: its names, and the functions that make an object valid and printable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from netlab.api.field_set import Track
from netlab.api.shapes import Shape, of_kind
from netlab.api.tokens import Issuer
from netlab.model import names
from netlab.model.errors import FieldError
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest
from netlab.model.selectors import Selector
from netlab.store import Store

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(NamedTuple):
    """A column of the kind's table; priority 1 is shown by `-o wide` only."""

    name: str
    priority: int = 0
    type: str = "string"
    format: str = ""
    description: str = ""


def _nothing(manifest: Manifest) -> None: ...


def _no_errors_here(lab: LabSpec, new: Manifest) -> list[FieldError]:
    return []


def _no_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    return []


def _change_nothing(registry: Objects, new: Manifest, old: Manifest | None) -> None: ...


class Allocate(Protocol):
    """Gives an object what only the server can choose."""

    def __call__(self, registry: Objects, new: Manifest, old: Manifest | None, *, dry_run: bool) -> None: ...


def _allocate_nothing(registry: Objects, new: Manifest, old: Manifest | None, *, dry_run: bool) -> None: ...


def _after_nothing(registry: Objects, old: Manifest) -> None: ...


def _nothing_follows(registry: Objects, new: Manifest, old: Manifest | None) -> None: ...


def _mark_nothing(manifest: Manifest, now: str) -> None: ...


class ScalePaths(NamedTuple):
    """Where the scale subresource finds its values; "" where it does not."""

    replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str = ""  # of a text; a LabelSelector in spec.selector is known without it


def _no_warnings(new: Manifest, old: Manifest | None) -> list[str]:
    return []


def _name_and_age(manifest: Manifest, now: datetime) -> list[Any]:
    from netlab.api.columns import age

    return [manifest["metadata"]["name"], age(manifest, now)]


@dataclass(frozen=True)
class Resource:
    """One kind of object.

    `default`, `prepare` and `allocate` change the private copy that they are given; `validate` gives every error there
    is. The order at a write is upstream's: `default`, `prepare` (what the old object carries over), `allocate` (cluster
    IPs and the like; these two may raise ApiError, which then says nothing of other mistakes), `validate`.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ("status",)
    status_on_create: bool = False  # a kubelet registers its node with a status; all others write it later
    generations: bool = False  # metadata.generation counts the changes of the spec
    name_problems: Callable[[str], list[str]] = names.dns_subdomain
    default: Callable[[Manifest], None] = _nothing
    prepare: Callable[[Objects, Manifest, Manifest | None], None] = _change_nothing
    validate: Callable[[Manifest, Manifest | None], list[FieldError]] = _no_errors
    allocate: Allocate = _allocate_nothing
    validate_here: Callable[[LabSpec, Manifest], list[FieldError]] = _no_errors_here  # by the lab's settings
    validate_status: Callable[[Manifest, Manifest | None], list[FieldError]] = _no_errors
    warnings: Callable[[Manifest, Manifest | None], list[str]] = _no_warnings
    deprecated: str = ""  # a warning that comes with every request
    propagation: str = ""  # of a delete that does not say what becomes of dependents, and a warning then
    propagation_warning: str = ""
    on_delete: Callable[[Manifest, str], None] = _mark_nothing  # of a copy that begins to be deleted, at a time
    after_write: Callable[[Objects, Manifest, Manifest | None], None] = _nothing_follows
    after_delete: Callable[[Objects, Manifest], None] = _after_nothing
    columns: tuple[Column, ...] = (Column("Name"), Column("Age"))
    row: Callable[[Manifest, datetime], list[Any]] = _name_and_age  # one cell per column
    # What custom kinds say for themselves
    custom: bool = False
    schema: dict[str, Any] | None = None
    own_shape: Shape | None = None
    own_singular: str = ""
    own_list_kind: str = ""
    scale_paths: ScalePaths = ScalePaths()
    selectable: tuple[str, ...] = ()  # for field selectors

    @property
    def key(self) -> str:
        """What the store and the registry call it: the plural; for custom kinds with the group, `tabs.example.com`."""
        return f"{self.plural}.{self.group}" if self.custom else self.plural

    @property
    def shape(self) -> Shape:
        """The fields of its objects."""
        return self.own_shape or of_kind(self.kind)

    @property
    def singular(self) -> str:
        """The kind in lower case, if nothing else was chosen."""
        return self.own_singular or self.kind.lower()

    @property
    def list_kind(self) -> str:
        """The kind of its lists: `ServiceList`."""
        return self.own_list_kind or f"{self.kind}List"

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """Where the group lives: `/api/v1`, `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


class Objects(Protocol):
    """What the rules of a kind may ask and do beyond the object that they are given: see `Registry`."""

    store: Store
    spec: LabSpec
    clock: Callable[[], datetime]
    issuer: Issuer | None

    def now(self) -> str:
        """The present moment as metadata carries it."""

    def kinds(self) -> tuple[Resource, ...]:
        """Every kind that is served, as it is stored."""

    def find(self, resource: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""

    def get(self, resource: str, name: str, namespace: str = "") -> Manifest:
        """The object; ApiError 404 when there is none."""

    def list(self, resource: str, namespace: str | None = None, *, labels: Selector | None = None) -> list[Manifest]:
        """The objects of a resource (of one namespace if given), sorted by namespace and name."""

    def create(self, resource: str, manifest: Manifest, *, namespace: str = "") -> Manifest:
        """Stores a new object and gives it back with everything that the server filled in."""

    def update(self, resource: str, manifest: Manifest, *, dry_run: bool = False,
               track: Track | None = None) -> Manifest:
        """Replaces an object and gives it back; ApiError 404 when there is none."""

    def resource(self, key: str) -> Resource:
        """The kind by its key; ApiError 404 when there is none."""
