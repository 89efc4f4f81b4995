"""The agents, one module each: its `AGENT` is the agent's row in `agents.table.AGENTS`, which reads this folder."""
