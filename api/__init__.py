"""The adapters to the outside, and the composition root that chooses them from the settings."""

VERSION = "0.1.0"
