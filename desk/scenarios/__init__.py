"""Built-in scenarios and stored scenarios of an owner; their simulation is in `quant.worlds`."""
