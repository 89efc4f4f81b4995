"""The optimization as five file-based steps; not the graph that runs them."""
