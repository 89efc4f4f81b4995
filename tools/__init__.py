"""What a model may call, the typed words, the ports to the world outside and their adapters."""
