"""The built-in scenarios and those that an owner stores; not their simulation, which is in `quant.worlds`."""
