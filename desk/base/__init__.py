"""What every package may use: errors, names, identifiers, clock and code version; no subject of the domain."""
