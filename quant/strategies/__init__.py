"""The strategy family: configuration, compiled kernel, simulation, history, search and objective."""
