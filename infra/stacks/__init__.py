"""One module per stack; `infra.app` creates them in this order and passes each what it needs."""
