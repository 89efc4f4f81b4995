from tests.graphs.checkpoints.interrupted_graph import aws, place, served

__all__ = ["aws", "place", "served"]
