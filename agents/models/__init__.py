"""The chat models behind the agents: factory, calls with retries and fallbacks, metering, prices."""
