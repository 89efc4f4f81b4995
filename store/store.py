"""The ports of the store together, as the application receives them."""

from dataclasses import dataclass

from store.blobs import Blobs
from store.events import Events
from store.records import Records


@dataclass(frozen=True, slots=True)
class Store:
    """Adapters: `store.embedded.open_store`, `store.aws.store.open_aws_store`."""

    records: Records
    events: Events
    blobs: Blobs
