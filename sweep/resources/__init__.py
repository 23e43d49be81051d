"""What machines have, what trials ask for, and which trial goes where."""

from sweep.resources.addresses import check_address, refuses
from sweep.resources.capacity import ClusterCapacity, NodeType
from sweep.resources.cpu_count import cores
from sweep.resources.demand import likely, wants
from sweep.resources.placement import Machines, places, ready
from sweep.resources.requests import Request, Slots, as_config

__all__ = [
    "ClusterCapacity",
    "Machines",
    "NodeType",
    "Request",
    "Slots",
    "as_config",
    "check_address",
    "cores",
    "likely",
    "places",
    "ready",
    "refuses",
    "wants",
]
