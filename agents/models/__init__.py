"""The chat models of the agents: settings, factory and providers, retries and fallbacks, budgets, prices."""
