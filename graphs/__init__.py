"""The state graphs, and the door through which a run is made, executed and read."""
